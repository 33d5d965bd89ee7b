// What ONNX Runtime is expected to hold while a part runs: results written over operands, values freed after their last reader, copies
// of the outputs at the end.

import { engineBytes } from "../compiler/emit/engine-memory.ts";
import { createGraph, type Graph, type Node } from "../compiler/graph/graph.ts";
import { assert, group } from "./harness.ts";

const of = (make: (graph: Graph, x: Node) => Node): number => {
  const graph = createGraph();
  const x = graph.input("x", { dtype: "f32", shape: ["b", 64] });
  return engineBytes({ name: "it", inputs: [{ name: "x", node: x }], outputs: [{ name: "y", node: make(graph, x) }] }, { b: 16 });
};
const tensor = 4 * 16 * 64;
const total = (graph: Graph, node: Node): Node => graph.add("sum", [node], { axes: [0, 1], keep: false });

group("engine memory", (test) => {
  test("a chain of maps is one tensor, written over and over", () => {
    assert.is(
      of((graph, x) => total(graph, graph.add("exp", [graph.add("tanh", [graph.add("exp", [x])])]))),
      tensor,
    );
  });

  test("what is read later stays", () => {
    assert.is(
      of((graph, x) => {
        const early = graph.add("exp", [x]);
        const turned = graph.add("permute", [early], { order: [1, 0] });
        return total(graph, graph.add("matmul", [early, turned], { transpose_a: false, transpose_b: false }));
      }),
      2 * tensor + 4 * 16 * 16,
    );
  });

  test("ports are memory that was given, but every output is copied", () => {
    assert.is(
      of((graph, x) => graph.add("exp", [x])),
      tensor,
    );
    assert.is(
      of((graph, x) => total(graph, x)),
      4,
    );
  });

  test("a view has no memory", () => {
    assert.is(
      of((graph, x) => total(graph, graph.add("reshape", [graph.add("exp", [x])], { shape: [64, "b"] }))),
      tensor,
    );
  });
});
