// An `evaluate` block -> one plan per subject: its metrics against what there are, its way to generate against the ways there are.

import type * as tree from "../../grammar/tree.ts";
import { instead, nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Generation, MetricCall } from "../../spec/job.ts";
import type { Data, Overlong } from "../../spec/job-data.ts";
import type { MetricParameter, MetricSignature } from "../../spec/metric.ts";
import type { Context } from "../values/expressions.ts";
import type { Scope, Value } from "../values/values.ts";
import { bindArguments } from "./arguments.ts";
import { findSplit, overlongOf, overlongSetting } from "./pipeline.ts";
import { parameter, readSettings, type Setting } from "./settings.ts";

export interface EvaluatePlan {
  readonly item: tree.Evaluate;
  readonly subject: string;
  readonly data: string;
  readonly split: string;
  readonly metrics: readonly MetricCall[];
  readonly micro_batch_size: number;
  readonly sequence_len?: number;
  readonly source_len?: number;
  readonly overlong?: Overlong;
  readonly inputs: "prompts" | "rows";
  readonly generate?: Generation;
  readonly samples?: number;
}

export const evaluateTable: Record<string, Setting> = {
  metrics: { type: "list", doc: "what is measured" },
  samples: { type: "int", atLeast: 1, doc: "generated texts that are shown" },
  generate: { type: "call", doc: "how text is written, like `generate: greedy(max_new_tokens: 64)`" },
  inputs: { type: { oneOf: ["prompts", "rows"] }, doc: "whether rows with equal prompts are one input with several references" },
  micro_batch_size: { type: "int", atLeast: 1, doc: "rows at once" },
  sequence_len: { type: "int", atLeast: 2, doc: "longest row in tokens" },
  source_len: { type: "int", atLeast: 2, doc: "longest prompt in tokens, for a base that reads it with an encoder; default sequence_len" },
  overlong: overlongSetting,
};

const shared = [
  parameter("max_new_tokens", "int"),
  parameter("repetition_penalty", "float", 1),
  parameter("no_repeat_ngram_size", "int", 0),
  parameter("stop", "texts", "none"),
];

/** Ways to generate; names and meanings of their settings are those of transformers where it has them. */
export const generators: Readonly<Record<string, readonly tree.Parameter[]>> = {
  greedy: shared,
  beam: [
    ...shared.slice(0, 1),
    parameter("width", "int", 4),
    parameter("length_penalty", "float", 1),
    parameter("early_stopping", "stopping", "none"),
    ...shared.slice(1),
  ],
  sample: [
    ...shared.slice(0, 1),
    parameter("temperature", "float", 1),
    parameter("top_k", "int", "none"),
    parameter("top_p", "float", "none"),
    parameter("min_p", "float", "none"),
    parameter("seed", "int", 0),
    ...shared.slice(1),
  ],
};

export const readEvaluate = (
  item: tree.Evaluate,
  subjects: ReadonlySet<string>,
  data: ReadonlyMap<string, Data>,
  known: ReadonlyMap<string, MetricSignature>,
  scope: Scope,
  context: Context,
): EvaluatePlan[] => {
  const from = findSplit(item.on, "eval", data, context);
  const settings = readSettings({ what: "evaluate", at: item.at, entries: item.entries, sign: ":" }, evaluateTable, scope, context);
  const generate = readGenerate(settings.entry("generate"), scope, context);
  const metrics = readMetrics(settings.entry("metrics")?.value, known, settings.entry("generate") !== undefined, scope, context);
  const length = settings.number("sequence_len");
  const sourceLength = settings.number("source_len");
  return item.subjects.flatMap((subject): EvaluatePlan[] => {
    if (!subjects.has(subject.text)) {
      const near = nearest(subject.text, subjects);
      context.report(
        diagnostics.unknown_adapter(
          subject.at,
          { name: subject.text },
          {
            notes: [{ message: `adapters and bases here: ${[...subjects].join(", ")}` }],
            ...instead(subject.at, near),
          },
        ),
      );
      return [];
    }
    if (!from) return [];
    return [
      {
        item,
        subject: subject.text,
        ...from,
        metrics,
        micro_batch_size: settings.number("micro_batch_size") ?? 16,
        inputs: settings.text("inputs") === "rows" ? "rows" : "prompts",
        ...(length !== undefined && { sequence_len: length }),
        ...overlongOf(settings),
        ...(sourceLength !== undefined && { source_len: sourceLength }),
        ...(generate && { generate, samples: settings.number("samples") ?? 3 }),
      },
    ];
  });
};

/** `[loss, rouge(stem: true)]`; `[loss]` when nothing is said. */
export const readMetrics = (
  list: tree.Expr | undefined,
  known: ReadonlyMap<string, MetricSignature>,
  generates: boolean,
  scope: Scope,
  context: Context,
): MetricCall[] => {
  const calls: MetricCall[] = [];
  for (const entry of list?.kind === "list" ? list.items : []) {
    const callee = entry.kind === "call" ? entry.callee : entry;
    const name = callee.kind === "ref" ? callee.name : callee.kind === "string" ? callee.value : "";
    const signature = known.get(name);
    if (!signature) {
      context.report(unknownMetric(callee.at, name, known));
      continue;
    }
    if (signature.of === "text" && !generates)
      context.report(
        diagnostics.metric_needs_text(entry.at, { name }, { help: "add `generate: greedy(max_new_tokens: 64)` to the block" }),
      );
    const twice = calls.find((call) => call.name === name);
    if (twice) {
      context.report(diagnostics.duplicate_name(entry.at, { name }, { help: "list it once, or evaluate in a second block" }));
      continue;
    }
    const args = bindArguments(
      { what: `metric ${name}`, at: entry.at, parameters: signature.parameters.map(metricParameter) },
      entry.kind === "call" ? entry.args : [],
      scope,
      context,
    );
    calls.push({
      name,
      scores: signature.scores,
      settings: Object.fromEntries(signature.parameters.map((one) => [one.name, settingOf(one, args.get(one.name), entry, context)])),
    });
  }
  return calls.length ? calls : [{ name: "loss", scores: ["loss"], settings: {} }];
};

const unknownMetric = (at: tree.Span, name: string, known: ReadonlyMap<string, MetricSignature>) => {
  // A score is asked for by its metric: `rougeL` comes out of `rouge`.
  const owner = [...known.values()].find(({ scores }) => scores.includes(name))?.name;
  const near = owner ?? nearest(name, known.keys());
  return diagnostics.unknown_metric(
    at,
    { name },
    {
      notes: [{ message: `metrics: ${[...known.keys()].join(", ")}` }],
      ...(near && {
        help: owner ? `\`${name}\` is a score of the metric \`${owner}\`` : `did you mean \`${near}\`?`,
        fixes: [{ at, insert: near, title: `change to \`${near}\`` }],
      }),
    },
  );
};

const metricParameter = ({ name, type, default: value }: MetricParameter): tree.Parameter => ({
  ...parameter(name, typeof type === "object" ? "one of" : type),
  value:
    typeof value === "number"
      ? { kind: "number", at: nowhere, text: String(value), value }
      : typeof value === "boolean"
        ? { kind: "ref", at: nowhere, name: String(value) }
        : { kind: "string", at: nowhere, value },
});

const nowhere: tree.Span = { file: "", start: 0, end: 0 };

const settingOf = (
  { name, type, default: fallback }: MetricParameter,
  value: Value | undefined,
  entry: tree.Expr,
  context: Context,
): number | boolean | string => {
  if (value?.kind === "number") return value.value;
  if (value?.kind === "bool") return value.value;
  if (value?.kind === "text" && typeof type === "object") {
    if (type.oneOf.includes(value.value)) return value.value;
    const at = entry.kind === "call" ? (entry.args.find((argument) => argument.name?.text === name)?.value.at ?? entry.at) : entry.at;
    context.report(
      diagnostics.wrong_type(at, { name, wanted: `one of ${type.oneOf.map((one) => `"${one}"`).join(", ")}`, found: `"${value.value}"` }),
    );
  }
  return fallback;
};

export const readGenerate = (entry: tree.Entry | undefined, scope: Scope, context: Context): Generation | undefined => {
  const call = entry?.value;
  if (call?.kind !== "call") return undefined;
  const kind = call.callee.kind === "ref" ? call.callee.name : "";
  const parameters = Object.hasOwn(generators, kind) ? generators[kind] : undefined;
  if (!parameters) {
    const near = nearest(kind, Object.keys(generators));
    context.report(
      diagnostics.unknown_definition(
        call.callee.at,
        { kind: "way to generate", name: kind },
        { notes: [{ message: `there are: ${Object.keys(generators).join(", ")}` }], ...instead(call.callee.at, near) },
      ),
    );
    return undefined;
  }
  const args = bindArguments({ what: kind, at: call.at, parameters }, call.args, scope, context);
  const placeOf = (name: string): tree.Span => call.args.find((argument) => argument.name?.text === name)?.value.at ?? call.at;
  const read = (name: string, least: number, most = Number.POSITIVE_INFINITY): { readonly [key: string]: number } => {
    const value: Value | undefined = args.get(name);
    if (value?.kind !== "number") return {};
    if (value.value < least) context.report(diagnostics.out_of_range(placeOf(name), { name, value: value.value, least }));
    if (value.value > most)
      context.report(diagnostics.wrong_type(placeOf(name), { name, wanted: `at most ${most}`, found: String(value.value) }));
    return { [name]: value.value };
  };
  const neutral = (settings: { readonly [key: string]: number }, value: number): { readonly [key: string]: number } =>
    Object.values(settings)[0] === value ? {} : settings;
  const stop = args.get("stop");
  const stops =
    stop?.kind === "text" ? [stop.value] : stop?.kind === "list" ? stop.items.flatMap((one) => (one.kind === "text" ? one.value : [])) : [];
  if (stop && stop.kind !== "none" && stop.kind !== "unknown" && (stops.length === 0 || stops.includes("")))
    context.report(diagnostics.wrong_type(placeOf("stop"), { name: "stop", wanted: "text, or a list of texts", found: "something else" }));
  const early = args.get("early_stopping");
  if (
    early &&
    early.kind !== "bool" &&
    early.kind !== "none" &&
    early.kind !== "unknown" &&
    !(early.kind === "text" && early.value === "never")
  )
    context.report(
      diagnostics.wrong_type(placeOf("early_stopping"), {
        name: "early_stopping",
        wanted: 'true, false or "never"',
        found: "something else",
      }),
    );
  return {
    kind: kind as Generation["kind"],
    max_new_tokens: 1,
    ...read("max_new_tokens", 1),
    ...read("width", 2),
    ...neutral(read("length_penalty", Number.NEGATIVE_INFINITY), 1),
    ...(early?.kind === "bool" && early.value && { early_stopping: true }),
    ...(early?.kind === "text" && { early_stopping: "never" as const }),
    ...read("temperature", 0),
    ...read("top_k", 1),
    ...read("top_p", 0, 1),
    ...read("min_p", 0, 1),
    ...read("seed", 0),
    ...neutral(read("repetition_penalty", 0), 1),
    ...neutral(read("no_repeat_ngram_size", 0), 0),
    ...(stops.length > 0 && { stop: stops }),
  };
};
