// Calls that run once a step of training -> a program. What depends on the step's number alone is taken out of every call's graph and
// becomes one vector that the host computes in double precision, so that equal calls have equal text whatever the step.

import type { ScalarExpr } from "../../spec/job.ts";
import { createGraph, type Graph, type Node, type SegmentGraph, type TensorType } from "../graph/graph.ts";
import { hoist } from "../graph/hoist.ts";
import { cut, substitute } from "../graph/segments.ts";
import type { ProgramGraph } from "./programs.ts";
import { recordCalls } from "./record-calls.ts";

/** An end of a call: a node, what the segment calls it, and the value behind it. */
export interface End {
  readonly node: Node;
  readonly port: string;
  readonly value: string;
}

export interface ClockedProgram {
  readonly program: ProgramGraph;
  /** In the order of the vector. */
  readonly scalars: readonly ScalarExpr[];
}

const scalar: TensorType = { dtype: "f32", shape: [] };
const clock: Readonly<Record<string, ScalarExpr>> = { step: ["step"], total: ["total"] };

interface Planned {
  readonly name: string;
  readonly graph: Graph;
  readonly inputs: readonly End[];
  readonly outputs: readonly End[];
  /** Placeholders, and the place in the vector of what each stands for. */
  readonly scalars: readonly { readonly node: Node; readonly at: number }[];
}

/** `vector` is the value that the host writes. */
export const clockedProgram = (vector: string) => {
  const planned: Planned[] = [];
  const scalars: string[] = [];
  const placeOf = (expr: ScalarExpr): number => {
    const text = JSON.stringify(expr);
    if (!scalars.includes(text)) scalars.push(text);
    return scalars.indexOf(text);
  };

  /** A call; of `inputs` those that the outputs need are bound. */
  const call = (name: string, graph: Graph, inputs: readonly End[], outputs: readonly End[]): void => {
    const stand = (i: number): Node => graph.input(`scalar ${i}`, scalar);
    const hoisted = hoist(
      graph,
      outputs.map(({ node }) => node),
      clock,
      stand,
    );
    planned.push({
      name,
      graph,
      inputs,
      outputs: outputs.map((output, i) => ({ ...output, node: hoisted.outputs[i]! })),
      scalars: hoisted.scalars.map((expr, i) => ({ node: stand(i), at: placeOf(expr) })),
    });
  };

  /** A value put where another lies; of one type by one segment. */
  const puts = new Map<string, readonly [Graph, Node, Node]>();
  const put = (type: TensorType, from: string, to: string): void => {
    const key = `${type.dtype} ${type.shape.join()}`;
    const graph = createGraph();
    const x = graph.input("x", type);
    const [shared, before, after] = puts.get(key) ?? [graph, x, graph.add("mul", [x, graph.constant(1)])];
    puts.set(key, [shared, before, after]);
    call("put", shared, [{ node: before, port: "x", value: from }], [{ node: after, port: "y", value: to }]);
  };

  /** `results` are read after a run. */
  const finish = (results: readonly string[]): ClockedProgram => {
    const { steps, values, record } = recordCalls();
    const [given, written] = [new Set<string>(), new Set<string>()];
    // One result of one graph is one segment, wherever it goes.
    const cuts = new Map<Node, SegmentGraph>();
    for (const { name, graph, inputs, outputs, scalars: own } of planned) {
      const all = graph.input("scalars", { dtype: "f32", shape: [scalars.length] });
      const part = (from: number): Node =>
        graph.add("reshape", [graph.add("slice", [all], { axis: 0, from, to: from + 1 })], { shape: [] });
      const nodes = substitute(
        graph,
        outputs.map(({ node }) => node),
        new Map(own.map(({ node, at }) => [node, part(at)])),
      )!;
      const ends = new Map([...inputs.map(({ node, port }) => [node, port] as const), [all, "scalars"] as const]);
      const [only] = nodes.length === 1 ? nodes : [];
      const segment =
        (only && cuts.get(only)) ?? cut({ name, inputs: ends, outputs: outputs.map(({ port }, i) => ({ name: port, node: nodes[i]! })) });
      if (only) cuts.set(only, segment);
      const bound = Object.fromEntries(inputs.map(({ port, value }) => [port, value]));
      record(
        segment,
        { ...bound, scalars: vector },
        outputs.map(({ value }) => value),
      );
      for (const value of steps.at(-1)!.inputs) if (!written.has(value)) given.add(value);
      for (const { value } of outputs) written.add(value);
    }
    return {
      program: { steps, values, inputs: [...given], outputs: results },
      scalars: scalars.map((text) => JSON.parse(text) as ScalarExpr),
    };
  };
  return { call, put, finish };
};
