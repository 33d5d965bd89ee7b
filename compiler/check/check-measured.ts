// Sizes that the data decides: what was measured is taken where it was measured from what is here now, and said to be stale otherwise; what was
// not is said to be open. A part of what sizes follow from that this machine does not have (weights, rows) is not compared.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Data } from "../../spec/job-data.ts";
import type { MeasuredFrom, MeasuredSizes } from "../../spec/measured.ts";
import type { AdapterPlan, FoundSizes } from "../adapters/inject.ts";
import type { MeasuredLine } from "../adapters/measured-sizes.ts";
import { plain } from "../adapters/stored-config.ts";
import type { TrainPlan } from "../blocks/pipeline.ts";
import type { CompileHost } from "../host.ts";
import type { BasePlan } from "../model/base.ts";
import { parametersOf } from "../model/instantiate.ts";
import { checkMeasuring } from "../programs/measure.ts";
import type { Context } from "../values/expressions.ts";

/** What was measured, as adapters ask for it. */
export const foundSizes =
  (measured: readonly MeasuredSizes[]): FoundSizes =>
  (adapter, line) => {
    const found = measured.find((one) => one.adapter === adapter && one.line === line);
    return found && new Map(Object.entries(found.sizes));
  };

export interface MeasuredSources {
  readonly file: string;
  readonly measured: readonly MeasuredSizes[];
  readonly base: BasePlan;
  readonly adapters: ReadonlyMap<string, AdapterPlan>;
  readonly trains: readonly TrainPlan[];
  readonly data: ReadonlyMap<string, Data>;
  readonly textOf: (at: tree.Span) => string;
  readonly host: CompileHost;
}

/** What the sizes of each adapter's lines follow from now, where there are any: `menu 0`. */
export const checkMeasured = async (sources: MeasuredSources, context: Context): Promise<ReadonlyMap<string, MeasuredFrom>> => {
  const { adapters, trains, base, measured, file } = sources;
  const now = new Map<string, MeasuredFrom>();
  for (const adapter of adapters.values()) {
    const lines = adapter.measured ?? [];
    const [first] = lines;
    if (!first) continue;
    checkMeasuring(adapter, base.root, adapters, context);
    if (adapter.under !== undefined && adapters.get(adapter.under)?.from === undefined) {
      const problem = `${adapter.name} stands on ${adapter.under}, which is not trained when it is measured`;
      context.report(
        diagnostics.bad_measure(first.at, { name: first.names.join(", "), problem }, { help: 'load what it stands on: `load("folder/")`' }),
      );
    }
    // An adapter that nothing trains observes nothing, which is said.
    const train = trains.find((plan) => plan.adapter === adapter.name);
    if (!train) continue;
    for (const line of lines) {
      const from = await madeFrom(adapter, line, train, sources);
      now.set(`${adapter.name} ${line.line}`, from);
      const before = measured.find((one) => one.adapter === adapter.name && one.line === line.line)?.from;
      const changed =
        before && partsOf.find(([part]) => before[part] !== undefined && from[part] !== undefined && before[part] !== from[part]);
      if (changed)
        context.report(
          diagnostics.stale_measure(
            line.at,
            { file: `${file}.measured`, what: changed[1], adapter: adapter.name },
            { help: `if the change is meant, measure again: \`peft measure ${file}\`` },
          ),
        );
    }
    const open = lines.filter(({ known }) => !known);
    if (open.length > 0)
      context.report(
        diagnostics.not_measured(
          open[0]!.at,
          { sizes: [...new Set(open.flatMap(({ names }) => names))].join(", "), adapter: adapter.name },
          { help: `\`peft measure ${file}\` measures; \`peft run\` does it before it trains` },
        ),
      );
  }
  return now;
};

/** Sizes of an adapter as they were found, with what they follow from: `from` as checkMeasured gives it. */
export const measuredLines = (
  adapter: string,
  sizes: readonly { readonly line: number; readonly path: string; readonly name: string; readonly size: number }[],
  from: ReadonlyMap<string, MeasuredFrom>,
  point?: string,
): readonly MeasuredSizes[] =>
  [...new Set(sizes.map(({ line }) => line))].map((line) => {
    const own: Record<string, Record<string, number>> = {};
    for (const one of sizes) if (one.line === line) own[one.path] = { ...own[one.path], [one.name]: one.size };
    return { adapter, line, ...(point !== undefined && { point }), from: from.get(`${adapter} ${line}`)!, sizes: own };
  });

const partsOf: readonly (readonly [keyof MeasuredFrom, string])[] = [
  ["base", "base"],
  ["weights", "base: its weights are others"],
  ["method", "method, with its settings and places"],
  ["training", "training: what it says of its rows is another"],
  ["tokenizer", "tokenizer"],
  ["rows", "data"],
];

const madeFrom = async (
  adapter: AdapterPlan,
  line: MeasuredLine,
  train: TrainPlan,
  { file, base, adapters, data, textOf, host }: MeasuredSources,
): Promise<MeasuredFrom> => {
  const digest = (value: unknown): string => host.sha256(JSON.stringify(value)).slice(0, 16);
  const folder = host.resolve(file, base.path).replace(/\/$/, "");
  const injection = adapter.injections.find(({ at }) => line.at.start >= at.start && line.at.end <= at.end)!;
  const settings = [...injection.settings].filter(([name]) => !line.names.includes(name)).map(([name, value]) => [name, plain(value)]);
  const block = data.get(train.data)!;
  const split = block.splits.find(({ name }) => name === train.split)!;
  const { observe, micro_batch_size, sequence_len, source_len, overlong, half } = train;
  const stored = [...parametersOf(base.root)].flatMap(({ path, format }) => (format ? [[path, format.label]] : []));
  const beneath = adapter.under === undefined ? undefined : adapters.get(adapter.under)?.from;
  const tokenizer = host.read(`${folder}/tokenizer.json`);
  const rows = await host.sample?.(host.resolve(file, split.path));
  const weights = base.weights === "checkpoint" ? await host.weightsPrint?.(folder) : undefined;
  return {
    base: digest([base.configHash(), base.headerHash?.() ?? base.seed, stored, beneath ?? null]),
    ...(weights !== undefined && { weights: weights.slice(0, 16) }),
    method: digest([textOf(injection.method.at), settings, [...line.sizes.keys()], adapter.measured!.length]),
    training: digest([block, train.split, observe, micro_batch_size, sequence_len ?? null, source_len ?? null, overlong ?? null, half]),
    ...(tokenizer !== undefined && { tokenizer: digest(tokenizer) }),
    ...(rows && { rows: digest(rows) }),
  };
};
