// An adapter's first values that are computed -> steps that run once before training: programs of ordinary segments, and calls of
// operations that only the host has (a decomposition, a sort). A graph is cut at each such call; what crosses lives on the host.

import type { InitStep } from "../../spec/job.ts";
import type { Amendment } from "../adapters/amend.ts";
import { computedAt } from "../adapters/first-values.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import { layersOf } from "../adapters/layers.ts";
import { type Node, reachable, type TensorType } from "../graph/graph.ts";
import { cut } from "../graph/segments.ts";
import { type Instance, modulesOf } from "../model/instantiate.ts";
import { ops } from "../ops/index.ts";
import { elaborate, type Model } from "../unfold/elaborate.ts";
import { boundTo } from "../unfold/stage.ts";
import type { Context } from "../values/expressions.ts";
import { describe } from "../values/values.ts";
import type { Pass } from "./observe.ts";
import type { ProgramGraph, Step } from "./programs.ts";

export interface InitPlan {
  readonly steps: readonly InitStep[];
  readonly programs: ReadonlyMap<string, ProgramGraph>;
}

/** What an adapter computes before it is trained, or keeps of its training, in model order. */
const computing = (adapter: string, root: Instance, when: "init" | "kept"): readonly Amendment[] =>
  modulesOf(root).flatMap(({ amendments }) =>
    amendments.filter((own) => own.adapter === adapter && [...own.params.values()].some((param) => computedAt(when, param))),
  );

const modelOf = (
  amendment: Amendment,
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: InitContext,
  when: "init" | "kept",
): Model | undefined =>
  elaborate(
    root,
    { layers: layersOf(amendment.adapter, adapters), training: false },
    { amendment, ...(when === "kept" && { kept: true as const }) },
    context,
  );

type InitContext = Pick<Context, "report" | "through">;

/** Reports what is wrong with first values: once per line of an adapter and sizes of a module, since equal ones are equally wrong. */
export const checkInit = (adapter: string, root: Instance, adapters: ReadonlyMap<string, AdapterPlan>, context: InitContext): void => {
  const seen = new Set<string>();
  for (const [when, amendment] of (["init", "kept"] as const).flatMap((one) =>
    computing(adapter, root, one).map((own) => [one, own] as const),
  )) {
    const key = [
      when,
      amendment.at?.start,
      amendment.members[0]?.at.start,
      ...[...(amendment.face?.sizes ?? [])].map(([name, value]) => `${name}=${describe(value)}`),
    ].join();
    if (!seen.has(key)) modelOf(amendment, root, adapters, context, when);
    seen.add(key);
  }
};

/** `passes` are the adapter's own over the data. Undefined when nothing is computed, or after a report. */
export const planInit = (
  adapter: string,
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: InitContext,
  passes: readonly Pass[] = [],
): InitPlan | undefined => {
  const steps: InitStep[] = [];
  const programs = new Map<string, ProgramGraph>();
  const waiting = [...passes.entries()];
  const done = new Set<string>();
  for (const amendment of computing(adapter, root, "init")) {
    const model = modelOf(amendment, root, adapters, context, "init");
    if (!model?.results) return undefined;
    const names = new Map([...model.results].map(([local, node]) => [amendment.params.get(local)!.name, node]));
    // A shared parameter has one first value, whichever module it was computed at.
    for (const name of names.keys()) if (done.has(name)) names.delete(name);
    for (const name of names.keys()) done.add(name);
    observeBefore(model, adapter, waiting, steps, programs);
    planModel(model, names, `init(${adapter}).${amendment.module.path}`, steps, programs);
  }
  return steps.length > 0 ? { steps, programs } : undefined;
};

/** What is kept of a training, once it is done. Undefined when nothing is, or after a report. */
export const planKept = (
  adapter: string,
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: InitContext,
): InitPlan | undefined => {
  const steps: InitStep[] = [];
  const programs = new Map<string, ProgramGraph>();
  for (const amendment of computing(adapter, root, "kept")) {
    const model = modelOf(amendment, root, adapters, context, "kept");
    if (!model?.results) return undefined;
    const names = new Map([...model.results].map(([local, node]) => [amendment.params.get(local)!.name, node]));
    planModel(model, names, `kept(${adapter}).${amendment.module.path}`, steps, programs);
  }
  return steps.length > 0 ? { steps, programs } : undefined;
};

/** What a model reads is observed just before it is computed, and the passes go on from layer to layer as the modules do. */
export const observeBefore = (
  model: Model,
  adapter: string,
  waiting: (readonly [number, Pass])[],
  steps: InitStep[],
  programs: Map<string, ProgramGraph>,
): void => {
  const read = [...model.stages[0]!.inputs.values()].flatMap(({ from }) => (from.kind === "observed" ? [from.observed.name] : []));
  const needed = waiting.findLastIndex(([, { sums }]) => sums.some(({ as }) => as.some((name) => read.includes(name))));
  for (const [i, { program, sums }] of waiting.splice(0, needed + 1)) {
    const name = `observe(${adapter}).${i}`;
    programs.set(name, program);
    steps.push({ kind: "observe", program: name, sums });
  }
};

const noEarlier = (): never => {
  throw new Error("first values read no earlier stage");
};

/** `given` says where what the model is given comes from. */
export const planModel = (
  model: Model,
  results: ReadonlyMap<string, Node>,
  name: string,
  steps: InitStep[],
  programs: Map<string, ProgramGraph>,
  given: ReadonlyMap<string, string> = new Map(),
): void => {
  const stage = model.stages[0]!;
  const ends = new Map<Node, { readonly name: string; readonly value: string }>();
  for (const [port, { node, from }] of stage.inputs)
    if (from.kind === "param" || from.kind === "adapter" || from.kind === "observed")
      ends.set(node, { name: port, value: boundTo(from, noEarlier) });
    else if (from.kind === "batch" && given.has(from.name)) ends.set(node, { name: port, value: given.get(from.name)! });
  let count = 0;
  const run = (outputs: readonly { readonly name: string; readonly value: string; readonly node: Node }[]): void => {
    if (outputs.length === 0) return;
    const segment = cut({ name: "init", inputs: new Map([...ends].map(([node, end]) => [node, end.name])), outputs });
    const byPort = new Map([...ends.values()].map((end) => [end.name, end.value]));
    const inputs = segment.inputs.map((input) => byPort.get(input.name)!);
    const values = new Map<string, TensorType>();
    for (const [i, { node }] of segment.inputs.entries()) values.set(inputs[i]!, node.type);
    for (const [i, { node }] of segment.outputs.entries()) values.set(outputs[i]!.value, node.type);
    const step: Step = { segment, inputs, outputs: outputs.map((output) => output.value) };
    const program = `${name}.${programs.size}`;
    programs.set(program, { steps: [step], values, inputs, outputs: step.outputs });
    steps.push({ kind: "program", program });
  };
  const fresh = (node: Node): { readonly name: string; readonly value: string; readonly node: Node } => {
    const number = count++;
    return { name: `t${number}`, value: `${name}/t${number}`, node };
  };
  for (const node of reachable([...results.values()])) {
    if (!ops.get(node.op)?.host) continue;
    const missing = node.inputs.filter((input) => !ends.has(input)).map(fresh);
    run(missing);
    for (const end of missing) ends.set(end.node, end);
    const picks = Array.from({ length: node.types?.length ?? 1 }, (_, i) => (node.types ? stage.graph.pick(node, i) : node));
    const inputs = node.inputs.map((input) => ({ value: ends.get(input)!.value, shape: input.type.shape.map(Number) }));
    const made = picks.map(fresh);
    for (const end of made) ends.set(end.node, end);
    steps.push({ kind: "host", op: node.op, attrs: node.attrs as never, inputs, outputs: made.map((end) => end.value) });
  }
  run([...results].map(([value, node], i) => ({ name: `y${i}`, value, node })));
};
