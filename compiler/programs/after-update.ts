// What methods keep and change once parameters have moved -> the program after the update. First what `everywhere(…)` takes from each
// target, side by side; then what states and parameters become, computed beside their places and put there afterwards.

import type { AdapterPlan } from "../adapters/inject.ts";
import { lineOf, type StepGraph } from "../adapters/step-graphs.ts";
import { createGraph, type TensorType } from "../graph/graph.ts";
import { substitute } from "../graph/segments.ts";
import { accumulatedOf, gradientOf } from "../unfold/stage.ts";
import { type ClockedProgram, clockedProgram, type End } from "./clocked-program.ts";

export interface AfterUpdate extends ClockedProgram {
  /** Values that are kept from step to step, and the number that each begins with. */
  readonly states: readonly { readonly value: string; readonly type: TensorType; readonly init: number }[];
}

/** Parts that one call joins: as many as the smallest profile binds, less the result. */
const joined = 6;

/** Undefined when nothing is bound. `factors` is how many numbers the update's vector holds; the first says how much gradients shrink. */
export const buildAfter = (
  adapter: AdapterPlan,
  graphs: readonly StepGraph[],
  accumulating: boolean,
  factors: number,
): AfterUpdate | undefined => {
  if (graphs.length === 0) return undefined;
  const placeOf = accumulating ? accumulatedOf : gradientOf;
  const places = new Map(adapter.params.map(({ name }) => [gradientOf(name), placeOf(name)]));
  const program = clockedProgram(`${adapter.name}.after.scalars`);
  const lines = [...new Set(graphs.map(lineOf))];
  const side = (line: string, key: string): string => `${key.replace(" ", ".")} of ${lines.indexOf(line)}`;

  /** A call whose gradients are those that the update took. */
  const call = (name: string, one: StepGraph, outputs: readonly End[]): void => {
    const vector = {
      node: one.graph.input("factors", { dtype: "f32", shape: [factors] }),
      port: "factors",
      value: `${adapter.name}.factors`,
    };
    const shrink = one.graph.add("reshape", [one.graph.add("slice", [vector.node], { axis: 0, from: 0, to: 1 })], { shape: [] });
    const inputs = one.inputs.map((end) => ({
      ...end,
      value: places.get(end.value) ?? (end.value.startsWith("everywhere.") ? `${end.value} of ${lines.indexOf(lineOf(one))}` : end.value),
    }));
    const taken = new Map(
      one.inputs.flatMap(({ node, value }) => (places.has(value) ? [[node, one.graph.add("mul", [node, shrink])] as const] : [])),
    );
    const nodes = substitute(
      one.graph,
      outputs.map(({ node }) => node),
      taken,
    )!;
    program.call(
      name,
      one.graph,
      [...inputs, vector],
      outputs.map((output, i) => ({ ...output, node: nodes[i]! })),
    );
  };

  for (const line of lines) {
    const own = graphs.filter((one) => lineOf(one) === line);
    for (const key of [...own[0]!.results.keys()].filter((name) => name.startsWith("everywhere "))) {
      const parts = own.map((one, i): Part => {
        const node = one.results.get(key)!;
        const value = `${side(line, key)}/${i}`;
        call("everywhere", one, [{ node, port: "part", value }]);
        return { value, type: node.type };
      });
      join(program, parts, side(line, key));
    }
  }
  for (const one of graphs) {
    const { params, states } = one.amendment;
    const bound = [...one.results].flatMap(([name, node]) => {
      const local = name.startsWith("next ") ? name.slice("next ".length) : undefined;
      if (local === undefined) return [];
      const place = states.get(local)?.name ?? params.get(local)!.name;
      return [{ node, port: `next(${local})`, value: `next(${place})`, place }];
    });
    call("after", one, bound);
    for (const { node, value, place } of bound) program.put(node.type, value, place);
  }
  return {
    ...program.finish([]),
    states: graphs.flatMap(({ amendment }) =>
      [...amendment.states.values()].map(({ name, shape, first }) => ({
        value: name,
        type: { dtype: "f32" as const, shape },
        init: first,
      })),
    ),
  };
};

interface Part {
  readonly value: string;
  readonly type: TensorType;
}

/** Lists one after another, a few at a time. */
const join = (program: ReturnType<typeof clockedProgram>, parts: readonly Part[], into: string): void => {
  const groups = Array.from({ length: Math.ceil(parts.length / joined) }, (_, i) => parts.slice(i * joined, (i + 1) * joined));
  const made = groups.map((group, i): Part => {
    const graph = createGraph();
    const inputs = group.map(({ value, type }, k) => ({ node: graph.input(`x${k}`, type), port: `x${k}`, value }));
    const nodes = inputs.map(({ node }) => node);
    const node = nodes.length > 1 ? graph.add("concat", nodes, { axis: 0 }) : graph.add("mul", [nodes[0]!, graph.constant(1)]);
    const value = groups.length > 1 ? `${parts[i * joined]!.value}+` : into;
    program.call("join", graph, inputs, [{ node, port: "y", value }]);
    return { value, type: node.type };
  });
  if (groups.length > 1) join(program, made, into);
};
