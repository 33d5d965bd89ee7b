// What one kernel computes and reads back at the same elements equals the reference, whatever axes of size 1 stand between: a sum of
// one element spread back, a product of matrices beside a batch of one.

import { createGraph, type Dim, type Node } from "../../compiler/graph/graph.ts";
import { group } from "../harness.ts";
import type { SampleInput } from "../op-samples.ts";
import { agrees, missing } from "./run-segment.ts";

type Graph = ReturnType<typeof createGraph>;

interface Made {
  readonly inputs: Readonly<Record<string, readonly Dim[]>>;
  readonly node: (graph: Graph, inputs: Readonly<Record<string, Node>>) => Node;
}

const sum = (shape: readonly Dim[], axes: readonly number[], keep: boolean): Made => ({
  inputs: { x: shape },
  node: (graph, { x }) => graph.add("sum", [x!], { axes, keep }),
});

const product = (rows: Dim, inner: number, columns: number): Made => ({
  inputs: { a: [rows, inner], w: [inner, columns] },
  node: (graph, { a, w }) => graph.add("matmul", [a!, w!], { transpose_a: false, transpose_b: false }),
});

/** What a kernel makes, and shapes that are its own but for axes of size 1. */
const cases: Readonly<Record<string, readonly [Made, readonly (readonly Dim[])[]]>> = {
  "a sum of everything": [
    sum([6, 4], [0, 1], false),
    [
      [1, 1],
      [1, 1, 1],
    ],
  ],
  "a sum of one element": [
    sum(["b", "t", 1], [2], true),
    [
      ["b", "t", 1],
      [1, "b", "t", 1],
    ],
  ],
  "a sum of rows": [
    sum([5, 7], [1], true),
    [
      [1, 5, 1],
      [5, 1],
    ],
  ],
  "a sum of columns": [
    sum([5, 7], [0], false),
    [
      [1, 7],
      [1, 1, 7],
    ],
  ],
  "a product": [product("t", 6, 5), [[1, "t", 5]]],
  "a product with one element": [
    product(1, 6, 1),
    [
      [1, 1, 1],
      [1, 1],
    ],
  ],
};

group("webgpu fused", (test) => {
  for (const [name, [made, shapes]] of Object.entries(cases))
    for (const shape of shapes)
      test(
        `${name}, read back beside [${shape.join(", ")}]`,
        async () => {
          const graph = createGraph();
          const fills: Record<string, SampleInput> = { z: { shape } };
          for (const [input, own] of Object.entries(made.inputs)) fills[input] = { shape: own };
          const nodes = Object.fromEntries(
            Object.entries(fills).map(([input, fill]) => [input, graph.input(input, { dtype: "f32", shape: fill.shape })]),
          );
          const node = made.node(graph, nodes);
          const spread = graph.add("mul", [nodes.z!, node]);
          const outputs = [
            { name: "made", node: graph.add("sin", [node]) },
            { name: "spread", node: spread },
          ];
          const inputs = Object.entries(nodes).map(([input, own]) => ({ name: input, node: own }));
          await agrees({ name: "fused", inputs, outputs }, fills, [{ b: 2, t: 3 }]);
        },
        { skip: missing },
      );
});
