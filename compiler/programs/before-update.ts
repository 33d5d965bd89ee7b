// What methods bind of a training's step -> the program between the sum over micro-batches and the norm that clips. First every addend
// of the loss, whose gradient joins what the micro-batches left; then the bound gradients, which read that sum. A bound gradient is
// computed beside its place and put there afterwards, since an expression may read all of what it replaces.

import type { AdapterPlan } from "../adapters/inject.ts";
import { type StepGraph, slopesOf } from "../adapters/step-graphs.ts";
import type { TensorType } from "../graph/graph.ts";
import { accumulatedOf, gradientOf } from "../unfold/stage.ts";
import { type ClockedProgram, clockedProgram, type End } from "./clocked-program.ts";

export interface BeforeUpdate extends ClockedProgram {
  /** Whether something is added to the loss: the program's output `added`. */
  readonly adds: boolean;
}

const scalar: TensorType = { dtype: "f32", shape: [] };

/** Undefined when nothing is bound. `accumulating`: a step's gradients lie in the sum over micro-batches. */
export const buildBefore = (adapter: AdapterPlan, graphs: readonly StepGraph[], accumulating: boolean): BeforeUpdate | undefined => {
  const placeOf = accumulating ? accumulatedOf : gradientOf;
  const places = new Map(adapter.params.map(({ name }) => [gradientOf(name), placeOf(name)]));
  const program = clockedProgram(`${adapter.name}.before.scalars`);
  const read = ({ inputs }: StepGraph): End[] => inputs.map((end) => ({ ...end, value: places.get(end.value) ?? end.value }));

  const adding = graphs.filter(({ results }) => results.has("loss"));
  for (const [i, one] of adding.entries()) {
    const { graph, results, trained } = one;
    const slopes = slopesOf(one);
    const inputs = read(one);
    const outputs: End[] = [];
    for (const { node, port, value } of trained) {
      const slope = slopes.get(node);
      if (!slope) continue;
      const before = { node: graph.input(gradientOf(port), node.type), port: gradientOf(port), value: placeOf(value) };
      inputs.push(before);
      outputs.push({ ...before, node: graph.add("add", [before.node, slope]), port: `next(${port})` });
    }
    // The sum goes from call to call: so many addends never meet in one kernel.
    const sum = { node: graph.input("added", scalar), port: "added", value: `added+${i}` };
    if (i > 0) inputs.push(sum);
    const loss = results.get("loss")!;
    const node = i > 0 ? graph.add("add", [sum.node, loss]) : loss;
    program.call("loss", graph, inputs, [...outputs, { node, port: "sum", value: i === adding.length - 1 ? "added" : `added+${i + 1}` }]);
  }
  for (const one of graphs) {
    const bound = [...one.results].flatMap(([name, node]) => {
      const param = name.startsWith("grad ") ? one.amendment.params.get(name.slice("grad ".length))! : undefined;
      return param ? [{ node, port: `next(${param.local})`, value: `next(${param.name})`, place: placeOf(param.name) }] : [];
    });
    if (bound.length === 0) continue;
    program.call("gradients", one.graph, read(one), bound);
    for (const { node, value, place } of bound) program.put(node.type, value, place);
  }
  const adds = adding.length > 0;
  return graphs.length > 0 ? { ...program.finish(adds ? ["added"] : []), adds } : undefined;
};
