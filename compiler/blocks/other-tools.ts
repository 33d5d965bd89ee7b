// Spellings of other tools, known only to offer the right one; never accepted. Where their unit is another, the value is
// converted too. Sources: the tools' own configuration classes.

import type * as tree from "../../grammar/tree.ts";
import { conversions } from "./other-values.ts";

/** Ours → theirs, where the meaning is the same. A value that is written otherwise has a conversion by their name. */
const spellings: Readonly<Record<string, readonly string[]>> = {
  alpha: ["lora_alpha", "network_alpha", "scale"],
  r: ["rank", "lora_r", "lora_rank", "network_dim", "network_rank"],
  dropout: ["lora_dropout", "network_dropout", "p_dropout"],
  learning_rate: ["lr", "base_lr", "peak_lr"],
  weight_decay: ["wd"],
  beta1: ["adam_beta1"],
  beta2: ["adam_beta2"],
  eps: ["adam_epsilon", "epsilon", "adam_eps"],
  warmup: [
    "warmup_ratio",
    "warmup_steps",
    "num_warmup_steps",
    "lr_warmup_steps",
    "lr_warmup_fraction",
    "warmup_fraction",
    "warmup_proportion",
  ],
  sequence_len: [
    "max_seq_length",
    "max_seq_len",
    "cutoff_len",
    "max_length",
    "model_max_length",
    "seq_length",
    "max_sequence_length",
    "block_size",
    "context_length",
  ],
  overlong: ["excess_length_strategy", "overlong_strategy"],
  epochs: ["num_epochs", "num_train_epochs", "n_epochs", "max_epochs"],
  steps: ["max_steps", "num_steps", "train_steps", "iters", "max_iters", "max_train_steps", "total_steps"],
  micro_batch_size: [
    "batch_size",
    "per_device_train_batch_size",
    "train_batch_size",
    "per_device_eval_batch_size",
    "eval_batch_size",
    "device_train_microbatch_size",
  ],
  gradient_accumulation_steps: [
    "grad_accum",
    "accumulation_steps",
    "grad_accumulation_steps",
    "gradient_accumulation_iters",
    "accumulate_grad_batches",
  ],
  max_grad_norm: ["gradient_clipping", "clip_grad_norm", "grad_clip", "max_norm", "gradient_clip_val", "clip_grad"],
  schedule: ["lr_scheduler", "lr_scheduler_type", "lr_schedule", "learning_rate_scheduler", "scheduler"],
  optimizer: ["optim", "optimizer_type"],
  checkpoint: ["save_steps", "save_strategy", "steps_per_save", "save_every", "save_interval", "saves_per_epoch"],
  log: ["logging_steps", "steps_per_report", "log_interval", "log_every_n_steps"],
  seed: ["random_seed", "data_seed", "training_seed"],
  shuffle: ["shuffle_data", "shuffle_merged_datasets"],
  packing: ["sample_packing", "pack", "packed", "neat_packing"],
  loss_on: [
    "train_on_inputs",
    "train_on_prompt",
    "train_on_input",
    "train_on_completions",
    "mask_prompt",
    "completion_only_loss",
    "assistant_only_loss",
  ],
  prompt: ["input", "instruction", "prompt_template", "field_instruction"],
  answer: ["output", "completion", "response", "target", "label", "field_output"],
  train: ["train_file", "train_dataset", "train_data", "train_files", "training_data"],
  eval: ["validation", "valid", "val", "eval_dataset", "validation_file", "test_datasets", "val_data", "eval_file"],
  metrics: ["compute_metrics", "eval_metrics"],
  samples: ["num_samples", "generate_samples", "eval_table_size"],
  max_new_tokens: ["max_tokens", "max_gen_len", "max_gen_toks", "eval_max_new_tokens", "max_generated_tokens"],
  temperature: ["temp"],
  tokens: ["num_virtual_tokens", "prompt_length", "num_soft_tokens"],
};

/** What is no setting of any block here, and where it went. */
const elsewhere: Readonly<Record<string, string>> = Object.fromEntries(
  (
    [
      [
        "target_modules lora_target_modules lora_target lora_attn_modules lora_target_linear modules_to_adapt keys",
        "what an adapter covers stands after `into`: `adapter NAME = METHOD into tiny.layers.*.attn.{q, v}`",
      ],
      [
        "modules_to_save lora_modules_to_save additional_target trainable_token_indices unfrozen_parameters layers_to_freeze_regex",
        "what is trained whole is an adapter of its own: `adapter NAME = tune() into tiny.head`",
      ],
      [
        "num_layers lora_layers num_layers_to_train freeze_trainable_layers layers_to_transform",
        "layers are chosen by the path: `into tiny.layers.8..15.**`",
      ],
      ["use_rslora rslora lora_rslora rank_stabilized", "write the scale out: `alpha: 16 * r ^ 0.5` divided by `r` is 16 / sqrt(r)"],
      [
        "adapter peft_type finetuning_type lora_model_dir peft use_peft",
        "an adapter is a block of its own: `adapter NAME = METHOD(…) into tiny.layers.**`",
      ],
      [
        "load_in_4bit load_in_8bit quantization_bit quantize bnb_4bit_quant_type bnb_4bit_use_double_quant double_quantization quantization",
        "how frozen weights are kept is said in the base: `base tiny = checkpoint(…) { store layers.** as FORMAT(…) }`",
      ],
      [
        "bf16 fp16 tf32 pure_bf16 mixed_precision precision dtype torch_dtype half",
        "nothing is rounded unless the file says so: remove it, or write `compute: f16`",
      ],
      [
        "gradient_checkpointing enable_activation_checkpointing grad_checkpoint enable_gradient_checkpointing activation_checkpointing",
        "what is kept and what is computed again follows from the memory plan; hold it with `require { memory(train NAME) <= 8 GiB }`",
      ],
      ["output_dir out_dir adapter_path save_dir logging_dir overwrite_output_dir run_name", "results go where `-o DIR` says"],
      [
        "resume_from_checkpoint auto_resume_from_checkpoints resume ignore_data_skip",
        "a run goes on by itself from the newest state in its output folder",
      ],
      [
        "base_model model model_name_or_path model_name checkpoint_dir pretrained_model_name_or_path base_model_config tokenizer_name",
        'the model is a block of its own: `base tiny = checkpoint("folder/")`',
      ],
      [
        "dataset datasets dataset_name data_path dataset_dir data_files train_data_dir",
        'rows are a block of their own: `data NAME { train = jsonl("train.jsonl") … }`',
      ],
      [
        "val_set_size val_size validation_split train_split eval_size",
        "rows are held out in the data block: `eval = held_out(5%, of: train, seed: 1)`",
      ],
      ["max_samples max_train_samples max_eval_samples limit", 'rows are limited in the reader: `jsonl("train.jsonl", rows: 1000)`'],
      [
        "eval_steps eval_strategy evaluation_strategy do_eval eval_interval evals_per_epoch steps_per_eval val_batches eval_batch",
        "an evaluation is a block of its own: `evaluate NAME on orders.eval { metrics: [loss] }`",
      ],
      ["do_train do_predict stage", "what a command does follows from its name: `peft train`, `peft evaluate`, `peft run`"],
      [
        "report_to wandb_project wandb_run_id mlflow_tracking_uri use_wandb comet_project",
        "every step is in result.json; `--json` prints it",
      ],
      ["save_total_limit keep_last save_only_model", "it is a part of the interval: `checkpoint: every 200 steps keep 2`"],
      ["group_by_length length_column_name", "rows of like length share a batch always; remove it"],
      [
        "global_batch_size effective_batch_size total_batch_size",
        "it is `micro_batch_size` times `gradient_accumulation_steps`; give the two",
      ],
      [
        "device device_map use_cpu no_cuda local_rank ddp_find_unused_parameters deepspeed fsdp fsdp_config num_processes",
        "where it runs is no matter of the file: `--device cpu|webgpu`",
      ],
      [
        "template chat_template prompt_style conversation_template",
        'a conversation is written by the tokenizer\'s chat template, `chat = "messages"`, or by one that is named: `chat = messages("messages", template: "chat.jinja")`; other rows by `prompt` and `answer`',
      ],
      [
        "remove_unused_columns dataloader_num_workers preprocessing_num_workers dataset_num_proc flash_attention flash_attn attn_implementation trust_remote_code push_to_hub hub_model_id strict",
        "there is nothing of it to set; remove it",
      ],
    ] as const
  ).flatMap(([names, advice]) => names.split(" ").map((name) => [name, advice])),
);

/** Settings that stand in the optimizer's or the schedule's own parentheses here. */
const inside: Readonly<Record<string, "optimizer" | "schedule">> = {
  learning_rate: "optimizer",
  weight_decay: "optimizer",
  beta1: "optimizer",
  beta2: "optimizer",
  eps: "optimizer",
  momentum: "optimizer",
  warmup: "schedule",
  floor: "schedule",
};

const wrapped = { optimizer: "optimizer: NAME", schedule: "schedule: NAME" } as const;

export interface Translation {
  /** The name here, where it is a setting of the same place. */
  readonly name?: string;
  /** The value as it is written here; absent when it stays as it is, or cannot be told. */
  readonly value?: string;
  readonly help: string;
}

/** Our name for another tool's; undefined when it is none of theirs. */
export const oursFor = (theirs: string): string | undefined => {
  for (const [ours, names] of Object.entries(spellings)) if (names.includes(theirs)) return ours;
  return undefined;
};

/**
 * What another tool's `name` is here, among the names `known` at its place. `value` is what it was given, and `sibling` the values
 * beside it by our names, as written.
 */
export const translate = (
  name: string,
  known: readonly string[],
  value?: tree.Expr,
  sibling: (ours: string) => string | undefined = () => undefined,
): Translation | undefined => {
  const ours = oursFor(name);
  const given = value && literal(value);
  const converted = given === undefined ? undefined : conversions[name]?.(given, sibling);
  if (ours !== undefined && known.includes(ours)) {
    const written = converted === undefined ? `\`${ours}\`` : `\`${ours}: ${converted}\``;
    // A value that would mean something else here is not carried over with the name alone.
    if (converted === undefined && conversions[name])
      return { help: `another tool's spelling; here it is ${written}, whose values are other ones` };
    return {
      name: ours,
      ...(converted !== undefined && { value: converted }),
      help: `another tool's spelling; here it is ${written}`,
    };
  }
  const block = Object.hasOwn(inside, ours ?? name) ? inside[ours ?? name] : undefined;
  if (block && known.includes(block)) {
    const text = converted ?? given ?? "…";
    return { help: `it belongs to the ${block}: \`${wrapped[block]}(${ours ?? name}: ${text})\`` };
  }
  const advice = Object.hasOwn(elsewhere, name) ? elsewhere[name] : undefined;
  return advice === undefined ? undefined : { help: advice };
};

/** A literal as it is written; undefined for anything else. */
export const literal = (value: tree.Expr): string | undefined => {
  switch (value.kind) {
    case "number":
      return `${value.text}${value.unit ? (value.unit.text === "%" ? "%" : ` ${value.unit.text}`) : ""}`;
    case "string":
      return value.value;
    case "ref":
      return value.name;
    case "unary":
      return value.op === "-" && value.value.kind === "number" ? `-${value.value.text}` : undefined;
    default:
      return undefined;
  }
};
