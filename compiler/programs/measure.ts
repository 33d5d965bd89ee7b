// An adapter's measured sizes -> steps like those of first values, which run before any shape of it is known. First what `everywhere(…)` takes
// from each target, as the passes over the data go on from layer to layer; that is short, and all of it is kept. Then, of all targets side
// by side, the sizes of each.

import type { InitStep, MeasuredSize } from "../../spec/job.ts";
import type { Amendment } from "../adapters/amend.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import { layersOf } from "../adapters/layers.ts";
import type { MeasuredLine } from "../adapters/measured-sizes.ts";
import type { Node } from "../graph/graph.ts";
import { type Instance, modulesOf } from "../model/instantiate.ts";
import { elaborate, type Model } from "../unfold/elaborate.ts";
import type { Context } from "../values/expressions.ts";
import { number } from "../values/values.ts";
import { type InitPlan, observeBefore, planModel } from "./init.ts";
import type { Pass } from "./observe.ts";
import type { ProgramGraph } from "./programs.ts";

type MeasureContext = Pick<Context, "report" | "through">;

export interface MeasurePlan extends InitPlan {
  readonly sizes: readonly MeasuredSize[];
}

/** What measures at each target of a line, in model order. */
const measuring = (adapter: string, { at }: MeasuredLine, root: Instance): readonly Amendment[] =>
  modulesOf(root).flatMap(({ amendments }) => amendments.filter((own) => own.adapter === adapter && own.at === at && !own.outer));

const modelOf = (
  amendment: Amendment,
  [part, targets]: readonly [number, number],
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: MeasureContext,
): Model | undefined => {
  const choice = { layers: layersOf(amendment.adapter, adapters), training: false };
  return elaborate(root, choice, { amendment, measure: { targets: number(targets), part } }, context);
};

/** Reports what is wrong with what an adapter measures: at its first target, since the text is one for all. */
export const checkMeasuring = (
  adapter: AdapterPlan,
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: MeasureContext,
): void => {
  for (const line of adapter.measured ?? []) {
    const all = measuring(adapter.name, line, root);
    if (all[0]) modelOf(all[0], [0, all.length], root, adapters, context);
  }
};

/** `passes` are the adapter's own over the data. Undefined when every size is known, or after a report. */
export const planMeasure = (
  adapter: AdapterPlan,
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: MeasureContext,
  passes: readonly Pass[] = [],
): MeasurePlan | undefined => {
  const lines = adapter.measured ?? [];
  if (lines.every(({ known }) => known)) return undefined;
  const steps: InitStep[] = [];
  const programs = new Map<string, ProgramGraph>();
  const sizes: MeasuredSize[] = [];
  const waiting = [...passes.entries()];
  const found = lines.flatMap((line) => {
    const all = measuring(adapter.name, line, root);
    return all.map((amendment, part) => ({
      line,
      amendment,
      part,
      model: modelOf(amendment, [part, all.length], root, adapters, context),
    }));
  });
  const all = found.flatMap(({ model, ...one }) => (model?.results ? [{ ...one, model, results: [...model.results] }] : []));
  if (all.length < found.length) return undefined;
  /** By line and port, what each target gives. */
  const parts = new Map<string, { readonly value: string; readonly shape: readonly number[] }[]>();
  const portOf = (line: MeasuredLine, port: string): string => `measure(${adapter.name}).${line.line}.${port}`;
  for (const { line, amendment, model, results } of all) {
    observeBefore(model, adapter.name, waiting, steps, programs);
    const path = `measure(${adapter.name}).${line.line}.${amendment.module.path}`;
    const given = new Map<string, Node>();
    for (const [name, node] of results) {
      if (!name.startsWith("everywhere ")) continue;
      const value = `${path}/${name.replace(" ", ".")}`;
      given.set(value, node);
      const port = portOf(line, name.replace(" ", "."));
      parts.set(port, [...(parts.get(port) ?? []), { value, shape: node.type.shape.map(Number) }]);
    }
    planModel(model, given, path, steps, programs);
  }
  for (const [port, inputs] of parts) steps.push({ kind: "host", op: "everywhere", attrs: {}, inputs, outputs: [port] });
  for (const { line, amendment, model, results } of all) {
    const { path } = amendment.module;
    const ports = results.flatMap(([name]) => (name.startsWith("everywhere ") ? [name.replace(" ", ".")] : []));
    const measured = new Map<string, Node>();
    for (const [name, node] of results) {
      const own = name.startsWith("size ") ? name.slice("size ".length) : undefined;
      if (own === undefined || !line.names.includes(own)) continue;
      const value = `size(${adapter.name}:${path}.${own})`;
      measured.set(value, node);
      sizes.push({ line: line.line, path, name: own, value });
    }
    planModel(
      model,
      measured,
      `sizes(${adapter.name}).${line.line}.${path}`,
      steps,
      programs,
      new Map(ports.map((port) => [port, portOf(line, port)])),
    );
  }
  return { steps, programs, sizes };
};
