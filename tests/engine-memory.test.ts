// What ONNX Runtime is expected to hold for a part: values that hand on their memory, what an arena makes of them, and copies of the
// outputs at the end.

import { createArena } from "../compiler/emit/engine-arena.ts";
import { type EngineMemory, engineMemory } from "../compiler/emit/engine-memory.ts";
import { runOrder, writtenOrder } from "../compiler/emit/onnx-order.ts";
import { createGraph, type Graph, type Node, reachable } from "../compiler/graph/graph.ts";
import { assert, group } from "./harness.ts";

const of = (make: (graph: Graph, x: Node) => Node): EngineMemory => {
  const graph = createGraph();
  const x = graph.input("x", { dtype: "f32", shape: ["b", 64] });
  return engineMemory({ name: "it", inputs: [{ name: "x", node: x }], outputs: [{ name: "y", node: make(graph, x) }] }, { b: 16 });
};
const tensor = 4 * 16 * 64;
const total = (graph: Graph, node: Node): Node => graph.add("sum", [node], { axes: [0, 1], keep: false });

group("engine memory", (test) => {
  test("a chain is two tensors that take turns", () => {
    const chain = of((graph, x) => total(graph, graph.add("exp", [graph.add("tanh", [graph.add("exp", [x])])])));
    assert.is(chain.inside, 2 * tensor);
  });

  test("what is read later stays", () => {
    const { inside } = of((graph, x) => {
      const early = graph.add("exp", [x]);
      const turned = graph.add("permute", [early], { order: [1, 0] });
      return total(graph, graph.add("matmul", [early, turned], { transpose_a: false, transpose_b: false }));
    });
    assert.is(inside, 2 * tensor + 4 * 16 * 16);
  });

  test("memory that a later value of equal sizes takes is held until then", () => {
    const { inside } = of((graph, x) => {
      const first = graph.add("exp", [x]);
      const wide = graph.add("concat", [first, first], { axis: 1 });
      const wider = graph.add("concat", [wide, wide], { axis: 1 });
      const back = graph.add("slice", [wider], { axis: 1, from: 0, to: 64 });
      return total(graph, back);
    });
    // `first` is done when `wider` is made, yet its memory waits for `back`.
    assert.is(inside, (1 + 2 + 4) * tensor);
  });

  test("ports are memory that was given, but every output is copied", () => {
    const one = of((graph, x) => graph.add("exp", [x]));
    assert.equal([one.inside, one.copies], [0, tensor]);
    assert.equal(of((graph, x) => total(graph, x)).copies, 4);
  });

  test("a view has no memory", () => {
    const { inside } = of((graph, x) => total(graph, graph.add("reshape", [graph.add("exp", [x])], { shape: [64, "b"] })));
    assert.is(inside, tensor);
  });

  test("what an op's own nodes hold counts, and an arena keeps it", () => {
    const { inside, arena } = of((graph, x) => {
      const early = graph.add("exp", [x]);
      const weight = graph.add("exp", [graph.input("w", { dtype: "f32", shape: [64] })]);
      return total(graph, graph.add("rms_norm_gradient", [early, weight, early], { eps: 1e-5, wants: ["x"] }));
    });
    // The operand, its gradient and three between them; beside them the weight.
    assert.is(inside, 5 * tensor + 4 * 64);
    assert.ok(arena >= inside);
  });

  test("a weight is unpacked right before the product that reads it, and its gradient summed up as soon as it can be", () => {
    const graph = createGraph();
    const x = graph.input("x", { dtype: "f32", shape: ["b", 64] });
    const weight = (name: string): Node => graph.add("exp", [graph.input(name, { dtype: "f32", shape: [64, 64] })]);
    const times = (a: Node, b: Node): Node => graph.add("matmul", [a, b], { transpose_a: false, transpose_b: false });
    const [v, w] = [weight("v"), weight("w")];
    const first = times(x, v);
    const bent = graph.add("tanh", [first]);
    const second = times(bent, w);
    const gradient = graph.add("contract", [x, first]);
    const results = [second, gradient];
    const ran = runOrder(writtenOrder(reachable(results), results), results).filter(({ op }) => op !== "input");
    assert.ok(
      ran.every((node, i) => node === [v, first, gradient, bent, w, second][i]),
      ran.map(({ op }) => op).join(" "),
    );
  });

  test("an arena splits what is twice as large, joins neighbours, and never shrinks", () => {
    const arena = createArena();
    const mib = 2 ** 20;
    const first = arena.take(mib);
    const second = arena.take(mib / 2);
    assert.is(arena.touched(), 1.5 * mib);
    first();
    second();
    // The second region has 2 MiB, and all of them are free again.
    arena.take(2 * mib)();
    assert.is(arena.touched(), 3 * mib);
    arena.take(5 * mib);
    assert.is(arena.touched(), 8 * mib);
  });
});
