// What an adapter's methods observe -> programs that a data pass runs before its first values are computed. Each goes through the model up to
// the last layer that it observes. Sums may be as large as the weights, so they are formed for a few layers at a time, and the data
// is read again for the next: one pass more costs less than memory that training never needs.

import type { Train } from "../../spec/job.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import { layersOf } from "../adapters/layers.ts";
import type { TrainPlan } from "../blocks/pipeline.ts";
import type { Instance } from "../model/instantiate.ts";
import { elaborate, type Model } from "../unfold/elaborate.ts";
import type { Observation } from "../unfold/observations.ts";
import type { Context } from "../values/expressions.ts";
import { forwardOf, type ProgramGraph, type ProgramOptions, prepare, recorder } from "./programs.ts";

/** One pass over the data: a program, and which of its results are added up under which names. */
export interface Pass {
  readonly program: ProgramGraph;
  readonly sums: readonly { readonly value: string; readonly as: readonly string[] }[];
}

/** Most bytes of sums that one pass forms, if it forms more than one layer's. */
const most = 256 * 1024 * 1024;

/** An adapter's passes, and what its training tells of them. */
export interface ObservationPlan {
  readonly passes: readonly Pass[];
  readonly dims: Readonly<Record<string, number>>;
  readonly told: NonNullable<Train["observe"]>;
}

/** Whether an adapter has first values that read what is observed. */
export const observes = (adapter: AdapterPlan): boolean =>
  adapter.injections.some(({ method }) =>
    method.members.some((member) => (member.kind === "each" ? member.members : [member]).some(({ kind }) => kind === "observe")),
  );

/** The forward pass that an adapter observes: what it stands on is on, and it is not. Undefined after a report. */
export const observedModel = (
  adapter: AdapterPlan,
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: Pick<Context, "report" | "through">,
): Model | undefined =>
  elaborate(
    root,
    { layers: adapter.under === undefined ? [] : layersOf(adapter.under, adapters), training: false, observes: adapter.name },
    "forward",
    context,
  );

/** The passes of a model, in the order of its layers; `limit` as `most`. */
export const observationPasses = (model: Model, options: ProgramOptions, limit = most): readonly Pass[] => {
  const groups: Observation[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const stage of new Set(model.observations.map((one) => one.stage))) {
    const here = model.observations.filter((one) => one.stage === stage);
    const size = [...new Set(here.map(({ node }) => node))].reduce(
      (sum, { type }) => sum + 4 * type.shape.map(Number).reduce((a, b) => a * b, 1),
      0,
    );
    if (bytes + size > limit) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(...here);
    bytes += size;
  }
  return groups.map((group) => passOf(model, group, options));
};

const passOf = (model: Model, group: readonly Observation[], options: ProgramOptions): Pass => {
  const last = Math.max(...group.map(({ stage }) => stage));
  const stages = model.stages.slice(0, last + 1).map((stage, i) => {
    const carried = i === last ? [] : stage.outputs;
    return { ...stage, outputs: [...new Set([...carried, ...group.flatMap(({ stage: at, node }) => (at === i ? [node] : []))])] };
  });
  const prepared = prepare({ ...model, stages }, false, options, ({ stage }) => stage.outputs);
  const record = recorder(prepared);
  for (const p of prepared) if (p.outputs.length > 0) forwardOf(record, p, "observe");
  const sums = new Map<string, string[]>();
  for (const { observed, stage, node } of group) {
    const value = `${stages[stage]!.name}/${stages[stage]!.outputs.indexOf(node)}`;
    sums.set(value, [...(sums.get(value) ?? []), observed.name]);
  }
  return { program: record.finish([...sums.keys()]), sums: [...sums].map(([value, as]) => ({ value, as })) };
};

/** Undefined for an adapter that observes nothing, and after a report. `dimsOf` are the sizes of a batch of the training for a model. */
export const planObservation = (
  { adapter: name, observe }: TrainPlan,
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: Pick<Context, "report" | "through">,
  dimsOf: (model: Model) => Readonly<Record<string, number>>,
): ObservationPlan | undefined => {
  const adapter = adapters.get(name)!;
  const model = observe && observes(adapter) ? observedModel(adapter, root, adapters, context) : undefined;
  if (!model || !observe) return undefined;
  const dims = dimsOf(model);
  const passes = observationPasses(model, { sizes: dims, vocabulary: 0 });
  const { virtual } = model.extent;
  const ends = passes.some(({ program }) => program.inputs.includes("ends"));
  return { passes, dims, told: { amount: observe, ...(virtual > 0 && { virtual }), ...(ends && { ends }) } };
};
