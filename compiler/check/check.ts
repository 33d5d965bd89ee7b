// resolved -> checked: inputs get their values, every block is read against what it knows, bases are unfolded and adapters
// injected. What passes here can be lowered; what does not is reported, several mistakes at once.

import type * as tree from "../../grammar/tree.ts";
import type { Diagnostic } from "../../spec/diagnostic.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Dim } from "../../spec/job.ts";
import type { Data } from "../../spec/job-data.ts";
import type { MeasuredFrom, MeasuredSizes } from "../../spec/measured.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import { adaptersIn, layersOf } from "../adapters/layers.ts";
import { readFolders } from "../adapters/load-adapter.ts";
import { unmergeable } from "../adapters/merging.ts";
import { readAdapters } from "../adapters/read-adapters.ts";
import { bindingStep, checkStep } from "../adapters/step-graphs.ts";
import { moments } from "../adapters/training-bindings.ts";
import { typed } from "../blocks/arguments.ts";
import { readData } from "../blocks/data-block.ts";
import { type EvaluatePlan, readEvaluate } from "../blocks/evaluate-block.ts";
import { type MergePlan, readMerge, readTrain, type TrainPlan } from "../blocks/pipeline.ts";
import type { Source } from "../blocks/places.ts";
import type { Library, Resolved } from "../blocks/resolve.ts";
import type { CompileHost } from "../host.ts";
import { type BasePlan, readBase } from "../model/base.ts";
import { checkInit } from "../programs/init.ts";
import { elaborate } from "../unfold/elaborate.ts";
import { checkPacking } from "../unfold/packing.ts";
import type { Extent } from "../unfold/virtual.ts";
import { type Context, evaluate } from "../values/expressions.ts";
import { type Scope, scopeOf, type Value } from "../values/values.ts";
import { checkDefinitions } from "./check-definitions.ts";
import { checkEffects } from "./check-effects.ts";
import { checkKept } from "./check-kept.ts";
import { batchOf, checkMasked } from "./check-masked.ts";
import { checkMeasured, foundSizes } from "./check-measured.ts";
import { checkObservations } from "./check-observations.ts";
import { checkReached } from "./check-reached.ts";
import { checkOverlap, checkReaders, checkTemplates } from "./check-templates.ts";
import { checkTokens } from "./check-tokens.ts";
import { checkTrainings } from "./check-training.ts";

export interface Checked {
  /** File name without its folder. */
  readonly name: string;
  readonly text: string;
  /** Every item of the file and of what it imports, with their texts: where things stand. */
  readonly source: Source;
  readonly library: Library;
  readonly scope: Scope;
  readonly base: BasePlan;
  readonly adapters: ReadonlyMap<string, AdapterPlan>;
  /** Every adapter the file names, planned or not. */
  readonly declared: ReadonlySet<string>;
  readonly data: ReadonlyMap<string, Data>;
  readonly trains: readonly TrainPlan[];
  readonly evaluates: readonly EvaluatePlan[];
  readonly merges: readonly MergePlan[];
  readonly requires: readonly tree.Require[];
  /** What measured sizes follow from, by adapter and line: `menu 0`. */
  readonly measuredFrom: ReadonlyMap<string, MeasuredFrom>;
}

/** Undefined when the file declares no base that could be read; what is wrong was reported. */
export const check = async (
  resolved: Resolved,
  inputs: Readonly<Record<string, string>>,
  host: CompileHost,
  measured: readonly MeasuredSizes[],
  report: (diagnostic: Diagnostic) => void,
): Promise<Checked | undefined> => {
  const { items, library, file } = resolved;
  const of = <K extends tree.Item["kind"]>(kind: K): Extract<tree.Item, { kind: K }>[] =>
    items.filter((item): item is Extract<tree.Item, { kind: K }> => item.kind === kind);
  const context: Context = { report, through: [] };
  const scope = scopeOf(readInputs(of("input"), inputs, host, context));

  const wrong = checkDefinitions(resolved.own, library, context);

  const [baseItem, ...others] = of("base");
  for (const item of others) report(diagnostics.several_bases(item.name.at, { help: "put it in a file of its own" }));
  const base = baseItem && (await readBase(baseItem, file, library, scope, host, context));

  const data = new Map(of("data").map((item) => [item.name.text, readData(item, scope, context)]));
  for (const item of of("data")) {
    const read = data.get(item.name.text)!;
    checkTemplates(item, read, resolved.texts, context);
    checkReaders(item, read, context);
  }
  const bases = new Map(base ? [[base.name, base.root] as const] : []);
  const baseNames = new Set(of("base").map((item) => item.name.text));
  const adapterNames = new Set(of("adapter").map((item) => item.name.text));
  const stored = base?.weights === "checkpoint" ? { name: base.name, folder: host.resolve(file, base.path) } : undefined;
  const folders = await readFolders(of("adapter"), file, scope, host, stored, context);
  // Without a readable base, patterns cannot be checked, and its own diagnostic says why.
  const adapters =
    base || baseNames.size === 0
      ? readAdapters(of("adapter"), { bases, library, wrong, scope, folders, found: foundSizes(measured) }, context)
      : new Map<string, AdapterPlan>();

  const trains = of("train").flatMap((item) => readTrain(item, adapterNames, data, scope, context) ?? []);
  checkTrainings(trains, adapters, library, scope, context);
  for (const [i, plan] of trains.entries())
    if (trains.findIndex((other) => other.adapter === plan.adapter) < i)
      report(
        diagnostics.unsupported_block(
          plan.item.subject.at,
          { what: "a second training of one adapter" },
          { help: "train it once, or declare a second adapter" },
        ),
      );
  const evaluates = of("evaluate").flatMap((item) =>
    readEvaluate(item, new Set([...adapterNames, ...baseNames]), data, host.metrics, scope, context),
  );
  for (const plan of [...trains.map((item) => ({ ...item, subject: item.adapter })), ...evaluates])
    if (adapters.get(plan.subject)?.made?.kind === "mix" && data.get(plan.data)?.adapter === undefined)
      report(
        diagnostics.rows_without_adapter(
          plan.item.on.at,
          { mix: plan.subject, data: plan.data },
          { help: `add \`adapter = "{column}"\` to \`data ${plan.data}\`` },
        ),
      );
  for (const plan of trains) {
    const made = adapters.get(plan.adapter)?.made;
    const ruled =
      made?.kind === "mix" && base
        ? made.of.find((name) => moments.some((moment) => bindingStep(name, base.root, moment).length > 0))
        : undefined;
    if (ruled !== undefined)
      report(
        diagnostics.mixed_rules(
          plan.item.subject.at,
          { adapter: ruled, mix: plan.adapter },
          { help: "train the adapters by themselves; mixed, they are evaluated and generate" },
        ),
      );
    if (made && made.kind !== "mix")
      report(
        diagnostics.nothing_of_its_own(
          plan.item.subject.at,
          { adapter: plan.adapter, made: made.kind === "sum" ? "combine" : made.kind },
          { help: "train the adapters it is made of; lines of one block, `adapter NAME { … }`, are trained together" },
        ),
      );
  }
  const merges = of("merge").flatMap((item) => readMerge(item, adapterNames, library, scope, context) ?? []);
  checkOverlap(trains, evaluates, of("data"), data, context);
  if (!base) return undefined;

  for (const plan of merges) {
    const adapter = adapters.get(plan.adapter);
    const reason = adapter && unmergeable(adapter, adapters);
    if (reason)
      report(
        diagnostics.cannot_merge(
          plan.item.at,
          { adapter: plan.adapter, reason },
          { help: "save the adapter instead; it is applied as it runs" },
        ),
      );
  }

  for (const plan of merges) {
    const stored =
      adapters.get(plan.adapter)?.targets.flatMap((module) => [...module.params.values()].filter((param) => param?.format)) ?? [];
    if (stored.length > 0 && plan.as === undefined && plan.format === undefined)
      report(
        diagnostics.merge_needs_as(
          plan.item.at,
          { adapter: plan.adapter, count: stored.length, format: stored[0]!.format!.label },
          { help: "write `as f16` to keep what was trained, or the format's name to store it again" },
        ),
      );
  }

  const extents = new Map<string, Extent>();
  // Shapes of the model and of every method in it: the same unfolding that training will do. The base by itself is in each of them.
  let result: readonly Dim[] | undefined;
  let reads: ReadonlySet<string> | undefined;
  const unfold = (name: string): void => {
    const packing = trains.find((plan) => plan.adapter === name && plan.packing);
    const choice = { layers: layersOf(name, adapters), training: true, packed: packing !== undefined };
    const model = elaborate(base.root, choice, "forward", { report, through: baseItem ? [baseItem.source.at] : [] });
    const adapter = adapters.get(name);
    // A mix computes no rules of training, which is said above.
    const added = adapter?.made?.kind === "mix" ? new Set<string>() : checkStep(name, base.root, adapters, context);
    if (!model) return;
    result ??= model.result.type.shape;
    reads ??= batchOf(model);
    extents.set(name, model.extent);
    const on = adaptersIn(choice.layers).flatMap((one) => adapters.get(one) ?? []);
    if (packing) checkPacking(model, packing, on, context);
    checkTokens(name, on, model, evaluates, context);
    if (!adapter || adapter.made) return;
    checkEffects(adapter, model, base.root, added, context);
    checkReached(adapter, model, added, context);
  };
  if (wrong.size === 0) {
    for (const name of adapters.keys()) unfold(name);
    if (!result) unfold(base.name);
    if (result) checkClasses(result, [...trains, ...evaluates], data, base.picture !== undefined, report);
    if (result && reads?.has("ends")) {
      // A method may read where rows end over a base that does not.
      const choice = { layers: layersOf(base.name, adapters), training: true, packed: false };
      const alone = elaborate(base.root, choice, "forward", { report: () => {}, through: [] });
      if (alone) reads = batchOf(alone);
    }
    if (result && reads) checkMasked(result, reads, [...trains, ...evaluates], data, report);
  }
  for (const name of adapters.keys()) checkInit(name, base.root, adapters, context);
  checkObservations(adapters, trains, base.root, context);
  checkKept(adapters, trains, base.root, context);
  const textOf = ({ file: where, start, end }: tree.Span): string =>
    (resolved.texts.get(where) ?? host.std.get(where.replace(/^std\//, "")) ?? "").slice(start, end);
  const measuredFrom = await checkMeasured({ file, measured, base, adapters, trains, data, textOf, host }, context);
  checkLengths([...trains, ...evaluates], base.context, extents, report);

  return {
    name: file.split(/[\\/]/).at(-1)!,
    text: resolved.texts.get(file) ?? "",
    source: resolved,
    library,
    scope,
    base,
    adapters,
    declared: adapterNames,
    data,
    trains: inOrder(
      trains.filter((plan) => adapters.has(plan.adapter)),
      adapters,
    ),
    evaluates: evaluates.filter((plan) => adapters.has(plan.subject) || baseNames.has(plan.subject)),
    merges: merges.filter((plan) => adapters.has(plan.adapter)),
    requires: of("require"),
    measuredFrom,
  };
};

/** Data that names classes goes with a base that tells as many apart, and no other. */
const checkClasses = (
  result: readonly Dim[],
  plans: readonly (TrainPlan | EvaluatePlan)[],
  data: ReadonlyMap<string, Data>,
  picture: boolean,
  report: (diagnostic: Diagnostic) => void,
): void => {
  const told = result.length === 2 ? Number(result[1]) : 0;
  for (const plan of plans) {
    const named = data.get(plan.data)?.classes?.length ?? 0;
    if (named !== told)
      report(
        diagnostics.classes_do_not_fit(
          plan.item.on.at,
          { data: plan.data, named: named ? `${named} classes` : "no classes", told: told ? `${told}` : "none" },
          {
            help: told
              ? `name them in the data: \`classes = ["…", "…"]\`, ${told} of them`
              : `give the base a head for them: \`checkpoint("…", classes: ${named})\``,
          },
        ),
      );
    if (picture && data.get(plan.data)?.prompt === undefined)
      report(
        diagnostics.missing_setting(
          plan.item.on.at,
          { block: `data ${plan.data}`, name: "prompt" },
          { help: 'name the pictures: `prompt = "{file}"`' },
        ),
      );
    if (told && "generate" in plan && plan.generate) report(diagnostics.classes_write_nothing(plan.item.at, { subject: plan.subject }));
  }
};

/** Rows fit the base, together with the virtual tokens in front of them. */
const checkLengths = (
  plans: readonly (TrainPlan | EvaluatePlan)[],
  context: number,
  extents: ReadonlyMap<string, Extent>,
  report: (diagnostic: Diagnostic) => void,
): void => {
  for (const plan of plans) {
    const { virtual, ahead } = extents.get("adapter" in plan ? plan.adapter : plan.subject) ?? { virtual: 0, ahead: 0 };
    const limit = context - virtual - ahead;
    const at = plan.item.entries.find((candidate) => candidate.key.text === "sequence_len")?.value.at ?? plan.item.at;
    if (limit < 2) report(diagnostics.no_room_for_tokens(at, { virtual: virtual + ahead, limit: context }));
    else if (plan.sequence_len !== undefined && plan.sequence_len > limit)
      report(
        diagnostics.sequence_too_long(
          at,
          { wanted: plan.sequence_len, limit },
          {
            ...(limit < context && {
              notes: [{ message: `the base reads ${context} tokens, and ${context - limit} of them are virtual` }],
            }),
            help: `write \`sequence_len: ${limit}\` or less`,
          },
        ),
      );
  }
};

/** What an adapter stands on is trained before it. */
const inOrder = (trains: readonly TrainPlan[], adapters: ReadonlyMap<string, AdapterPlan>): TrainPlan[] => {
  const ordered = new Set<TrainPlan>();
  const visit = (plan: TrainPlan): void => {
    for (const name of adaptersIn(layersOf(plan.adapter, adapters)))
      if (name !== plan.adapter) for (const other of trains) if (other.adapter === name) visit(other);
    ordered.add(plan);
  };
  for (const plan of trains) visit(plan);
  return [...ordered];
};

/** `input rank: int = 8`, or what `--set rank=16` says. */
const readInputs = (
  items: readonly tree.Input[],
  given: Readonly<Record<string, string>>,
  host: CompileHost,
  context: Context,
): Map<string, Value> => {
  const values = new Map<string, Value>();
  for (const item of items) {
    const name = item.name.text;
    const parameter: tree.Parameter = { at: item.at, name: item.name, type: item.type };
    const text = given[name];
    if (text === undefined) {
      if (!item.value) context.report(diagnostics.missing_input(item.name.at, { name }, { help: `give it: --set ${name}=…` }));
      values.set(
        name,
        item.value ? typed(evaluate(item.value, scopeOf(values), context), parameter, item.value.at, context) : { kind: "unknown" },
      );
      continue;
    }
    const value = fromText(item.type.text === "path" ? host.here(text) : text, item.type.text);
    if (!value) context.report(diagnostics.bad_input(item.name.at, { name, value: text, type: item.type.text }));
    values.set(name, value ?? { kind: "unknown" });
  }
  for (const name of Object.keys(given))
    if (!items.some((item) => item.name.text === name)) {
      const names = items.map((item) => item.name.text);
      const near = nearest(name, names);
      context.report(
        diagnostics.unknown_input(
          undefined,
          { name },
          { notes: [{ message: `inputs: ${names.join(", ") || "none"}` }], ...(near && { help: `did you mean \`${near}\`?` }) },
        ),
      );
    }
  return values;
};

const fromText = (text: string, type: string): Value | undefined => {
  switch (type) {
    case "int":
      return /^-?\d+$/.test(text) ? { kind: "number", value: Number(text) } : undefined;
    case "float":
      return text.trim() !== "" && Number.isFinite(Number(text)) ? { kind: "number", value: Number(text) } : undefined;
    case "bool":
      return text === "true" || text === "false" ? { kind: "bool", value: text === "true" } : undefined;
    default:
      return { kind: "text", value: text };
  }
};
