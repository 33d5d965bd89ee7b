// The pipeline blocks (train, merge; data and evaluate have files of their own) -> plain records, each setting checked. Nothing here
// knows tensors.

import type * as tree from "../../grammar/tree.ts";
import { instead, nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { DType } from "../../spec/job.ts";
import type { Data, Overlong } from "../../spec/job-data.ts";
import { type FormatPlan, readFormat } from "../model/format.ts";
import type { Context } from "../values/expressions.ts";
import { evaluate } from "../values/expressions.ts";
import type { Scope } from "../values/values.ts";
import { type Amount, readAmount } from "./amount.ts";
import type { DataPlan } from "./data-block.ts";
import type { Library } from "./resolve.ts";
import { readSettings, type Setting, type Settings } from "./settings.ts";

export interface TrainPlan {
  readonly item: tree.Train;
  /** How much of the split's beginning is observed before first values. */
  readonly observe?: Amount;
  readonly adapter: string;
  readonly data: string;
  readonly split: string;
  readonly optimizer: tree.Call;
  /** In which formats it keeps its states. */
  readonly stores: readonly tree.Storage[];
  readonly schedule?: tree.Call;
  readonly epochs?: number;
  readonly steps?: number;
  readonly micro_batch_size: number;
  readonly gradient_accumulation_steps: number;
  readonly sequence_len?: number;
  readonly source_len?: number;
  readonly overlong?: Overlong;
  readonly max_grad_norm?: number;
  /** Whether products take operands of 16 bits, and activations have as many. */
  readonly half: boolean;
  /** Whether optimizer state lies outside the device's memory. */
  readonly paged: boolean;
  readonly seed: number;
  readonly packing: boolean;
  readonly shuffle: boolean;
  readonly checkpoint?: { readonly every: number; readonly unit: "steps" | "epochs"; readonly keep: number };
  readonly log: { readonly every: number };
  readonly evaluate?: { readonly every: number; readonly unit: "steps" | "epochs" };
  readonly keep_best?: "loss" | "token_accuracy";
  readonly patience?: number;
  readonly logs?: readonly ("jsonl" | "tensorboard" | "mlflow")[];
}

export interface MergePlan {
  readonly item: tree.Merge;
  readonly adapter: string;
  readonly into: string;
  readonly as?: DType;
  /** Packed in this format. */
  readonly format?: FormatPlan;
}

/** `orders` or `orders.eval`. */
export const findSplit = (
  path: tree.Path,
  fallback: string,
  data: ReadonlyMap<string, DataPlan>,
  context: Context,
): { data: string; split: string } | undefined => {
  const [first, second] = path.segments;
  const name = first?.kind === "name" ? first.text : "";
  const found = data.get(name);
  if (!found) {
    const near = nearest(name, data.keys());
    context.report(
      diagnostics.unknown_data(
        path.at,
        { name },
        {
          ...instead(first?.at ?? path.at, near),
          notes: data.size ? [{ message: `data here: ${[...data.keys()].join(", ")}` }] : [],
        },
      ),
    );
    return undefined;
  }
  const split = second?.kind === "name" ? second.text : fallback;
  if (found.unread?.includes(split)) return undefined;
  if (!found.splits.some((candidate) => candidate.name === split)) {
    const names = found.splits.map((candidate) => candidate.name);
    const near = nearest(split, names);
    context.report(
      diagnostics.unknown_split(
        second?.at ?? path.at,
        { data: name, split },
        { notes: [{ message: `${name} has: ${names.join(", ")}` }], ...(second && instead(second.at, near)) },
      ),
    );
    return undefined;
  }
  return { data: name, split };
};

/** What becomes of rows that are longer than the block's limit. */
export const overlongSetting: Setting = {
  type: { oneOf: ["cut", "drop", "error"] },
  doc: "what becomes of rows longer than sequence_len: they lose their end, are left out, or nothing runs",
};

export const overlongOf = (settings: Settings): { readonly overlong?: Overlong } => {
  const how = settings.text("overlong");
  return how === "drop" || how === "error" ? { overlong: how } : {};
};

export const trainTable: Record<string, Setting> = {
  optimizer: { type: "call", required: true, doc: "say how parameters move, like `optimizer: NAME(learning_rate: 2e-4)`" },
  schedule: { type: "call", doc: "how the learning rate changes, like `schedule: cosine(warmup: 3%)`" },
  epochs: { type: "int", atLeast: 1, doc: "how often every row is seen" },
  steps: { type: "int", atLeast: 1, doc: "optimizer steps" },
  micro_batch_size: { type: "int", atLeast: 1, doc: "rows at once" },
  gradient_accumulation_steps: { type: "int", atLeast: 1, doc: "micro-batches per optimizer step" },
  sequence_len: { type: "int", atLeast: 2, doc: "longest row in tokens" },
  source_len: { type: "int", atLeast: 2, doc: "longest prompt in tokens, for a base that reads it with an encoder; default sequence_len" },
  overlong: overlongSetting,
  max_grad_norm: { type: "float", atLeast: 0, doc: "gradients are scaled down to this norm" },
  state: { type: { oneOf: ["resident", "paged"] }, doc: "where optimizer state lies: in the device's memory, or outside it in pages" },
  observe: { type: "any", doc: "how much of the data a method observes before its first values, like `observe: 64 rows`" },
  compute: {
    type: { oneOf: ["f32", "f16"] },
    doc: "what operands of products and activations are rounded to; sums, parameters and optimizer state are f32",
  },
  seed: { type: "int", doc: "everything random follows from it" },
  packing: { type: "bool", doc: "rows hold as many examples as fit into sequence_len; no token sees another example's" },
  shuffle: { type: "bool", doc: "a new order each epoch" },
  evaluate: { type: "every", doc: "how often the data's `eval` split is evaluated meanwhile, like `every 100 steps`" },
  keep_best: { type: { oneOf: ["loss", "token_accuracy"] }, doc: "the evaluation whose parameters are kept is the best by this" },
  patience: { type: "int", atLeast: 1, doc: "evaluations in a row without a gain before training stops" },
  checkpoint: { type: "every", doc: "how often the state is saved" },
  log: { type: "every", doc: "how often a line is logged" },
  logs: { type: "list", doc: "where numbers go while it trains, like `logs: [jsonl, tensorboard, mlflow]`" },
};

export const readTrain = (
  item: tree.Train,
  subjects: ReadonlySet<string>,
  data: ReadonlyMap<string, Data>,
  scope: Scope,
  context: Context,
): TrainPlan | undefined => {
  const { report } = context;
  const adapter = item.subject.text;
  if (!subjects.has(adapter)) {
    const near = nearest(adapter, subjects);
    report(
      diagnostics.unknown_adapter(
        item.subject.at,
        { name: adapter },
        {
          notes: subjects.size ? [{ message: `adapters here: ${[...subjects].join(", ")}` }] : [],
          ...instead(item.subject.at, near),
        },
      ),
    );
  }
  const from = findSplit(item.on, "train", data, context);
  const settings = readSettings({ what: "train", at: item.at, entries: item.entries, sign: ":" }, trainTable, scope, context);
  const [epochs, steps] = [settings.number("epochs"), settings.number("steps")];
  if (epochs === undefined && steps === undefined && !settings.meant("epochs") && !settings.meant("steps"))
    report(
      diagnostics.missing_setting(item.at, { name: "epochs", block: "train" }, { help: "say how long: `epochs: 3` or `steps: 1000`" }),
    );
  if (settings.entry("epochs") && settings.entry("steps"))
    report(
      diagnostics.conflicting_settings(
        settings.entry("steps")!.at,
        { first: "epochs", second: "steps" },
        { notes: [{ message: "the other is here", at: settings.entry("epochs")!.at }], help: "keep one of them" },
      ),
    );
  const optimizer = settings.entry("optimizer")?.value;
  for (const { key, store } of item.entries)
    if (store && key.text !== "optimizer")
      report(
        diagnostics.store_misplaced(
          store[0]!.at,
          { key: key.text },
          { help: "put it behind the optimizer: `optimizer: NAME(…) store STATES as FORMAT()`" },
        ),
      );
  const schedule = settings.entry("schedule")?.value;
  const checkpoint = interval(settings.entry("checkpoint"), context);
  const log = interval(settings.entry("log"), context);
  const observe = settings.entry("observe")?.value;
  const amount = observe && readAmount(evaluate(observe, scope, context), "observe", observe.at, 1, context);
  const rhythm = readRhythm(item, settings, data, context);
  if (!from || optimizer?.kind !== "call" || !subjects.has(adapter)) return undefined;
  const optional = <K extends string>(name: K): { [P in K]?: number } => {
    const value = settings.number(name);
    return (value === undefined ? {} : { [name]: value }) as { [P in K]?: number };
  };
  return {
    item,
    adapter,
    ...from,
    optimizer,
    stores: item.entries.find(({ key }) => key.text === "optimizer")?.store ?? [],
    ...(schedule?.kind === "call" && { schedule }),
    ...optional("epochs"),
    ...optional("steps"),
    micro_batch_size: settings.number("micro_batch_size") ?? 8,
    gradient_accumulation_steps: settings.number("gradient_accumulation_steps") ?? 1,
    ...optional("sequence_len"),
    ...optional("source_len"),
    ...overlongOf(settings),
    ...optional("max_grad_norm"),
    ...(amount && { observe: amount }),
    half: settings.text("compute") === "f16",
    paged: settings.text("state") === "paged",
    seed: settings.number("seed") ?? 0,
    packing: settings.flag("packing") ?? false,
    shuffle: settings.flag("shuffle") ?? true,
    ...(checkpoint && { checkpoint: { every: checkpoint.every, unit: checkpoint.unit, keep: checkpoint.keep ?? 2 } }),
    log: { every: log?.every ?? 1 },
    ...rhythm,
    ...readLogs(settings.entry("logs"), context),
  };
};

const logKinds = ["jsonl", "tensorboard", "mlflow"] as const;

const readLogs = (entry: tree.Entry | undefined, context: Context): Pick<TrainPlan, "logs"> => {
  if (entry?.value.kind !== "list") return {};
  const logs = entry.value.items.flatMap((item) => {
    const name = item.kind === "ref" ? item.name : item.kind === "string" ? item.value : undefined;
    const kind = logKinds.find((one) => one === name);
    if (!kind)
      context.report(
        diagnostics.wrong_type(item.at, { name: "logs", wanted: `some of ${logKinds.join(", ")}`, found: name ?? "something else" }),
      );
    return kind ?? [];
  });
  return logs.length ? { logs } : {};
};

/** Evaluation while it trains: it needs a split to evaluate, and what depends on it needs it. */
const readRhythm = (
  item: tree.Train,
  settings: ReturnType<typeof readSettings>,
  data: ReadonlyMap<string, Data>,
  context: Context,
): Pick<TrainPlan, "evaluate" | "keep_best" | "patience"> => {
  const entry = settings.entry("evaluate");
  const every = interval(entry, context);
  const name = item.on.segments[0]?.kind === "name" ? item.on.segments[0].text : "";
  if (entry && data.has(name) && !data.get(name)!.splits.some((split) => split.name === "eval"))
    context.report(
      diagnostics.train_unevaluated(entry.at, { data: name }, { help: `add one to \`data ${name}\`, like \`eval = jsonl("eval.jsonl")\`` }),
    );
  for (const key of ["keep_best", "patience"]) {
    const own = settings.entry(key);
    if (own && !settings.meant("evaluate"))
      context.report(diagnostics.needs_evaluation(own.at, { name: key }, { help: "add `evaluate: every 100 steps`" }));
  }
  const by = settings.text("keep_best");
  const patience = settings.number("patience");
  return {
    ...(every && { evaluate: { every: every.every, unit: every.unit } }),
    ...((by === "loss" || by === "token_accuracy") && { keep_best: by }),
    ...(patience !== undefined && { patience }),
  };
};

const interval = (
  entry: tree.Entry | undefined,
  context: Context,
): { every: number; unit: "steps" | "epochs"; keep?: number } | undefined => {
  if (entry?.value.kind !== "every") return undefined;
  const { interval: every, keep } = entry.value;
  const unit = every.unit?.text.replace(/s?$/, "s");
  if ((unit !== "steps" && unit !== "epochs") || !Number.isInteger(every.value) || every.value < 1) {
    context.report(
      diagnostics.wrong_type(every.at, {
        name: entry.key.text,
        wanted: "whole steps or epochs",
        found: `${every.text} ${every.unit?.text ?? ""}`.trim(),
      }),
    );
    return undefined;
  }
  return { every: every.value, unit, ...(keep && { keep: keep.value }) };
};

export const storedTypes = ["f32", "f16", "bf16"];

export const readMerge = (
  item: tree.Merge,
  subjects: ReadonlySet<string>,
  library: Library,
  scope: Scope,
  context: Context,
): MergePlan | undefined => {
  const adapter = item.subject.text;
  if (!subjects.has(adapter)) {
    const near = nearest(adapter, subjects);
    context.report(
      diagnostics.unknown_adapter(
        item.subject.at,
        { name: adapter },
        { notes: [{ message: `adapters here: ${[...subjects].join(", ")}` }], ...instead(item.subject.at, near) },
      ),
    );
    return undefined;
  }
  const into = evaluate(item.into, scope, context);
  if (into.kind !== "text") {
    if (into.kind !== "unknown")
      context.report(diagnostics.wrong_type(item.into.at, { name: "into", wanted: "a folder in quotes", found: into.kind }));
    return undefined;
  }
  const as = item.as?.kind === "ref" ? item.as.name : undefined;
  if (item.as && (as === undefined || !storedTypes.includes(as))) {
    const name = item.as.kind === "call" && item.as.callee.kind === "ref" ? item.as.callee.name : as;
    if (name === undefined || !library.names("format").includes(name)) {
      const known = [...storedTypes, ...library.names("format").filter((format) => !storedTypes.includes(format))];
      const near = nearest(name ?? "", known);
      context.report(
        diagnostics.wrong_type(
          item.as.at,
          { name: "as", wanted: `one of ${known.join(", ")}`, found: name ?? "something else" },
          near ? { help: `did you mean \`${near}\`?` } : {},
        ),
      );
      return undefined;
    }
    const format = readFormat(item.as, library, scope, context);
    if (format && !format.job.files)
      context.report(
        diagnostics.format_not_written(
          item.as.at,
          { format: format.label },
          { help: `write in 16 bits (\`as f16\`), or in one of the formats that have an \`interop\`` },
        ),
      );
    return format?.job.files ? { item, adapter, into: into.value, format } : undefined;
  }
  return { item, adapter, into: into.value, ...(as !== undefined && { as: as as DType }) };
};
