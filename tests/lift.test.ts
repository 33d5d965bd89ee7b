// The law of lifting: a batch of rows, each with inputs of its own, computes in every row what that row computes alone. Held for every
// op that can be lifted, on its samples, for every choice of inputs that differ from row to row; shown to catch a planted fault.

import { isRowwise, multiplyRows } from "../compiler/graph/associate-rows.ts";
import { createGraph, type Node } from "../compiler/graph/graph.ts";
import { interpret } from "../compiler/graph/interpret.ts";
import type { Op, Tensor } from "../compiler/graph/op.ts";
import { ops } from "../compiler/ops/index.ts";
import { type Lifted, lift } from "../compiler/unfold/lift.ts";
import { assert, group } from "./harness.ts";
import { fillInput, type Sample, type Sizes, sampleSizes, samples } from "./op-samples.ts";

const rows = 2;

/** How far the lifted op is from its rows, one at a time; undefined where it cannot be lifted over these inputs. */
const apart = (name: string, sample: Sample, own: readonly number[], sizes: Sizes): number | undefined => {
  const graph = createGraph();
  const inputs = sample.inputs.map(({ shape, dtype = "f32" }, i) => graph.input(`x${i}`, { dtype, shape }));
  const root = graph.add(name, inputs, sample.attrs);
  const ends = new Map<Node, Lifted>(
    inputs.map((node, i) => {
      const lifted = own.includes(i);
      return [node, { node: lifted ? graph.input(`rows${i}`, { ...node.type, shape: [rows, ...node.type.shape] }) : node, lifted }];
    }),
  );
  const lifted = lift(graph, root, ends, rows);
  if ("stuck" in lifted) return undefined;
  const values = (row: number): Record<string, Tensor> =>
    Object.fromEntries(sample.inputs.map((input, i) => [`x${i}`, fillInput(input, sizes, own.includes(i) ? i + 20 * (row + 1) : i)]));
  const each = Array.from({ length: rows }, (_, row) => values(row));
  const together: Record<string, Tensor> = { ...each[0]! };
  for (const i of own)
    together[`rows${i}`] = {
      shape: [rows, ...each[0]![`x${i}`]!.shape],
      data: Float64Array.from(each.flatMap((value) => [...value[`x${i}`]!.data])),
    };
  const [all] = interpret([lifted.node], together, sizes);
  const one = each.map((value) => interpret([root], value, sizes)[0]!);
  assert.equal([...all!.shape], [rows, ...one[0]!.shape]);
  const expected = one.flatMap(({ data }) => [...data]);
  return Math.max(0, ...expected.map((value, i) => Math.abs(value - all!.data[i]!)));
};

const choices = (count: number): number[][] =>
  Array.from({ length: 2 ** count - 1 }, (_, mask) => Array.from({ length: count }, (__, i) => i).filter((i) => (mask + 1) & (1 << i)));

const liftable = [...ops].filter(([name, op]) => (op.lift || op.expand) && samples[name]?.some((sample) => sample.inputs.length > 0));

group("lift", (test) => {
  for (const [name] of liftable)
    test(`${name}: a batch of rows computes what each row does`, () => {
      let compared = 0;
      for (const sample of samples[name]!)
        for (const own of choices(sample.inputs.length))
          for (const sizes of sampleSizes) {
            const far = apart(name, sample, own, sizes);
            if (far === undefined) continue;
            compared++;
            assert.ok(far < 1e-9, `inputs ${own} of ${JSON.stringify(sample.attrs ?? {})}: ${far}`);
          }
      assert.ok(compared > 0, "nothing could be lifted");
    });

  test("a planted fault is seen: the rows of one input in another order", () => {
    const honest = ops.get("sub")!;
    const lying: Op = { ...honest, lift: (context) => honest.lift!({ ...context, inputs: [context.inputs[1]!, context.inputs[0]!] }) };
    try {
      (ops as Map<string, Op>).set("sub", lying);
      assert.ok(apart("sub", samples.sub![0]!, [0, 1], sampleSizes[0]!)! > 1e-3);
    } finally {
      (ops as Map<string, Op>).set("sub", honest);
    }
  });

  test("a product with a weight per row is taken apart: shared parts once, thin chains from the input on", () => {
    const graph = createGraph();
    const input = (name: string, ...shape: (number | string)[]): Node => graph.input(name, { dtype: "f32", shape });
    const [x, w, a, b] = [input("x", "b", "t", 16), input("w", 12, 16), input("a", "b", 2, 16), input("b", "b", 12, 2)];
    const delta = graph.add("mul", [graph.add("matmul", [b, a]), graph.constant(0.5)]);
    const root = graph.add("matmul", [x, graph.add("permute", [graph.add("add", [w, delta])], { order: [0, 2, 1] })]);
    assert.ok(isRowwise(root));
    const sizes = { b: 3, t: 5 };
    const options = {
      sizes,
      seed: () => graph.constant(0),
      shared: (from: Node, weight: Node, transposed: boolean) => graph.add("matmul", [from, weight], { transpose_b: transposed }),
    };
    const apartNode = multiplyRows(graph, root, options);
    const wide = graph.nodes.slice(graph.nodes.indexOf(apartNode) - 6).filter((node) => node.type.shape.join() === "b,12,16");
    assert.equal(wide, [], "a weight was formed for each row");
    const values = Object.fromEntries(
      [x, w, a, b].map((node, i) => [String(node.attrs.name), fillInput({ shape: node.type.shape }, sizes, i)]),
    );
    const [before, after] = interpret([root, apartNode], values, sizes);
    assert.ok(Math.max(...before!.data.map((value, i) => Math.abs(value - after!.data[i]!))) < 1e-9);
  });
});
