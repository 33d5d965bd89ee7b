// Values of other tools' settings as they are written here, by the other tool's name. Undefined: it cannot be told from the text.

type Convert = (given: string, sibling: (ours: string) => string | undefined) => string | undefined;

const number = (text: string): number | undefined => (text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined);

const share: Convert = (given) => {
  const value = number(given);
  return value === undefined || value < 0 || value > 1 ? undefined : `${Number((100 * value).toPrecision(12))}%`;
};
const stepCount: Convert = (given) => (number(given) === undefined ? undefined : `${number(given)} steps`);
/** A share below 1, a number of steps from 1 on. */
const shareOrSteps: Convert = (given, sibling) => ((number(given) ?? 1) < 1 ? share : stepCount)(given, sibling);
const everySteps: Convert = (given) => (number(given) === undefined ? undefined : `every ${number(given)} steps`);
const whole: Convert = (given) => {
  const value = number(given);
  return value !== undefined && Number.isInteger(value) && value > 0 ? String(value) : undefined;
};
const choice =
  (table: Readonly<Record<string, string>>): Convert =>
  (given) =>
    Object.hasOwn(table, given.toLowerCase()) ? table[given.toLowerCase()] : undefined;

const lossOnInputs = choice({ true: "all", false: "answer" });
const lossOnAnswer = choice({ true: "answer", false: "all" });
const scheduleNames = choice({
  cosine: "cosine()",
  cosine_with_min_lr: "cosine(floor: …)",
  cosine_decay: "cosine()",
  linear: "linear()",
  constant: "constant()",
  constant_with_warmup: "constant(warmup: …)",
});

export const conversions: Readonly<Record<string, Convert>> = {
  warmup_ratio: share,
  warmup_fraction: share,
  warmup_proportion: share,
  lr_warmup_fraction: share,
  warmup_steps: shareOrSteps,
  num_warmup_steps: stepCount,
  lr_warmup_steps: stepCount,
  save_steps: everySteps,
  steps_per_save: everySteps,
  save_every: everySteps,
  save_interval: everySteps,
  save_strategy: choice({ epoch: "every 1 epochs" }),
  logging_steps: everySteps,
  steps_per_report: everySteps,
  log_interval: everySteps,
  log_every_n_steps: everySteps,
  num_train_epochs: whole,
  num_epochs: whole,
  max_epochs: whole,
  max_steps: whole,
  excess_length_strategy: choice({ drop: "drop", truncate: "cut", raise: "error" }),
  train_on_inputs: lossOnInputs,
  train_on_prompt: lossOnInputs,
  train_on_input: lossOnInputs,
  train_on_completions: lossOnAnswer,
  mask_prompt: lossOnAnswer,
  completion_only_loss: lossOnAnswer,
  assistant_only_loss: lossOnAnswer,
  lr_scheduler_type: scheduleNames,
  lr_scheduler: scheduleNames,
  lr_schedule: scheduleNames,
  learning_rate_scheduler: scheduleNames,
  // The other tool multiplies by it; here the update is alpha / r times the product.
  scale: (given, sibling) => {
    const [scale, r] = [number(given), number(sibling("r") ?? "")];
    return scale === undefined || r === undefined ? undefined : String(scale * r);
  },
};
