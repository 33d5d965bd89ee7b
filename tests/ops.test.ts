// Laws of all ops at once: shapes follow the type rule at any sizes, and every gradient equals finite differences of `eval`.
// Each law is shown to catch a planted fault.

import { createGraph, type Node, type TensorType } from "../compiler/graph/graph.ts";
import { concreteAttrs, concreteType, interpret } from "../compiler/graph/interpret.ts";
import type { Op, Tensor } from "../compiler/graph/op.ts";
import { kept } from "../compiler/ops/dropout.ts";
import { errorFunction } from "../compiler/ops/erf.ts";
import { ops } from "../compiler/ops/index.ts";
import { at } from "../compiler/values/dims.ts";
import { hostOps } from "../runtime/host-ops/index.ts";
import { assert, group } from "./harness.ts";
import { fillInput, type Sample, type Sizes, sampleSizes, samples } from "./op-samples.ts";

const typesOf = (sample: Sample): TensorType[] => sample.inputs.map(({ shape, dtype = "f32" }) => ({ dtype, shape }));

/** The call as a graph over inputs x0, x1, … */
const callGraph = (name: string, sample: Sample) => {
  const graph = createGraph();
  const inputs = typesOf(sample).map((type, i) => graph.input(`x${i}`, type));
  return { graph, inputs, node: graph.add(name, inputs, sample.attrs) };
};

const valuesOf = (sample: Sample, sizes: Sizes): Record<string, Tensor> =>
  Object.fromEntries(sample.inputs.map((input, i) => [`x${i}`, fillInput(input, sizes, i)]));

const seen = new Set<string>();
const see = (nodes: readonly Node[]): void => {
  for (const node of nodes) seen.add(node.op);
};

const shapesHold = (name: string, sample: Sample, sizes: Sizes): void => {
  const op = ops.get(name)!;
  const { node, graph } = callGraph(name, sample);
  see(graph.nodes);
  const symbolic = (node.types ?? [node.type]).map((type) => concreteType(type, sizes));
  const attrs = concreteAttrs(op, sample.attrs ?? {}, sizes);
  const concrete = op.type(
    typesOf(sample).map((type) => concreteType(type, sizes)),
    attrs,
  );
  assert.equal(Array.isArray(concrete) ? concrete : [concrete], symbolic, "the type at sizes is the type of the sized call");
  const inputs = sample.inputs.map((input, i) => fillInput(input, sizes, i));
  for (const [i, value] of op.eval(inputs, attrs, symbolic).entries()) {
    assert.equal([...value.shape], [...symbolic[i]!.shape], "eval has the type rule's shape");
    assert.is(
      value.data.length,
      value.shape.reduce((a, b) => a * b, 1),
    );
    assert.ok(
      value.data.every((v) => !Number.isNaN(v)),
      "no NaN",
    );
  }
};

const subsets = (items: readonly number[]): number[][] =>
  Array.from({ length: 2 ** items.length }, (_, mask) => items.filter((_, i) => mask & (1 << i)));

const gradientHolds = (name: string, sample: Sample, sizes: Sizes): void => {
  const op = ops.get(name)!;
  const smooth = sample.smooth ?? [];
  const { graph, inputs, node } = callGraph(name, sample);
  const values = valuesOf(sample, sizes);
  const dType = { dtype: "f32", shape: node.type.shape } as const;
  const d = graph.input("d", dType);
  values.d = fillInput({ shape: dType.shape }, sizes, 99);
  // L = Σ d · y, so that dL/dx is what the op's gradient claims.
  const loss = (): number => interpret([node], values, sizes)[0]!.data.reduce((sum, y, i) => sum + y * values.d!.data[i]!, 0);
  const expected = new Map<number, Float64Array>();
  for (const i of smooth) {
    const { data } = values[`x${i}`]!;
    const slopes = data.map((v, k) => {
      const h = 1e-5 * Math.max(1, Math.abs(v));
      data[k] = v + h;
      const up = loss();
      data[k] = v - h;
      const down = loss();
      data[k] = v;
      return (up - down) / (2 * h);
    });
    expected.set(i, slopes);
  }
  for (const subset of subsets(smooth)) {
    const wants = inputs.map((_, i) => subset.includes(i));
    const gradients = op.gradient!({ graph, node, d: [d], wants });
    assert.is(gradients.length, inputs.length, "one gradient per input");
    for (const [i, gradient] of gradients.entries()) {
      if (!wants[i]) assert.is(gradient, undefined, "no gradient where none is wanted");
      else assert.equal(gradient!.type, inputs[i]!.type, "a gradient has its input's type");
    }
    const results = interpret(
      subset.map((i) => gradients[i]!),
      values,
      sizes,
    );
    for (const [k, i] of subset.entries()) {
      const slopes = expected.get(i)!;
      const scale = slopes.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-3);
      for (let e = 0; e < slopes.length; e++)
        assert.ok(
          Math.abs(results[k]!.data[e]! - slopes[e]!) <= 1e-6 * scale,
          `${name}: gradient to input ${i} at ${e} is ${results[k]!.data[e]}, finite differences say ${slopes[e]}`,
        );
    }
  }
  assert.ok(op.gradient!({ graph, node, d: [undefined], wants: inputs.map(() => true) }).every((g) => g === undefined));
  see(graph.nodes);
};

/** Runs the body with one op replaced. */
const withOp = (name: string, change: (op: Op) => Partial<Op>, body: () => void): void => {
  const table = ops as Map<string, Op>;
  const original = table.get(name)!;
  table.set(name, { ...original, ...change(original) });
  try {
    body();
  } finally {
    table.set(name, original);
  }
};

const lawsOf = (name: string): void => {
  for (const sizes of sampleSizes)
    for (const sample of samples[name]!) {
      shapesHold(name, sample, sizes);
      if (sample.smooth) gradientHolds(name, sample, sizes);
    }
};

group("ops", (test) => {
  for (const name of Object.keys(samples)) test(`laws of ${name}`, () => lawsOf(name));

  test("every op has a sample or is the gradient of one that has", () => {
    for (const [name, list] of Object.entries(samples))
      for (const sample of list) {
        const { graph, inputs, node } = callGraph(name, sample);
        const gradient = ops.get(name)!.gradient;
        if (sample.smooth)
          gradient!({ graph, node, d: [graph.input("d", node.type)], wants: inputs.map((_, i) => sample.smooth!.includes(i)) });
        see(graph.nodes);
      }
    // What the host alone computes has its own laws (tests/runtime/host-ops.test.ts) and must have its file there.
    assert.equal(
      [...ops].flatMap(([name, op]) => (op.host ? (hostOps[name] ? [] : [name]) : seen.has(name) ? [] : [name])),
      [],
    );
  });

  test("an op's key in the list is its name", () => {
    for (const [key, op] of ops) assert.is(key, op.name);
  });

  test("every differentiable op has a sample that differentiates it", () => {
    const without = [...ops.values()].filter((op) => op.gradient && !samples[op.name]?.some((s) => s.smooth));
    // These have no inputs to differentiate, or say that nothing flows.
    assert.equal(without.map((op) => op.name).sort(), [
      "among_largest",
      "constant",
      "eye",
      "iota",
      "largest",
      "one_hot",
      "size",
      "stop_gradient",
    ]);
  });

  const faults: readonly [name: string, fault: string, change: (op: Op) => Partial<Op>][] = [
    [
      "rotate",
      "a gradient that turns the same way",
      () => ({
        gradient: ({ graph, node, d }) => [
          graph.add("rotate", [d[0]!, node.inputs[1]!, node.inputs[2]!], node.attrs),
          undefined,
          undefined,
        ],
      }),
    ],
    ["attention_gradient", "no scale", (op) => ({ eval: (inputs, attrs, types) => op.eval(inputs, { ...attrs, scale: 1 }, types) })],
    [
      "rms_norm_gradient",
      "another eps",
      (op) => ({ eval: ([x, w, dy], attrs, types) => op.eval([x!, w!, dy!], { ...attrs, eps: 1e3 }, types) }),
    ],
    [
      "mul",
      "no reverse of broadcasting",
      () => ({
        gradient: ({ graph, node, d, wants }) =>
          node.inputs.map((_, i) => (wants[i] ? graph.add("mul", [d[0]!, node.inputs[1 - i]!]) : undefined)),
      }),
    ],
    [
      "layer_norm",
      "a gradient nobody wanted",
      (op) => ({ gradient: (context) => op.gradient!({ ...context, wants: context.wants.map(() => true) }) }),
    ],
    [
      "softmax",
      "a result of another shape",
      (op) => ({ eval: (inputs, attrs, types) => op.eval(inputs, attrs, types).map((t) => ({ ...t, shape: [...t.shape, 1] })) }),
    ],
    ["matmul", "a wrong sign", (op) => ({ gradient: (context) => op.gradient!(context).map((g) => g && context.graph.add("neg", [g])) })],
  ];
  for (const [name, fault, change] of faults)
    test(`the laws catch ${fault} in ${name}`, () => {
      const laws = name.replace("_gradient", "");
      let caught = "";
      withOp(name, change, () => {
        try {
          lawsOf(laws);
        } catch (error) {
          caught = String(error);
        }
      });
      assert.is.not(caught, "", "the fault went unseen");
    });

  test("type rules refuse what does not fit, in words", () => {
    const f = (...shape: (number | string)[]): TensorType => ({ dtype: "f32", shape });
    const ids = (...shape: (number | string)[]): TensorType => ({ dtype: "i32", shape });
    const problems: readonly [string, TensorType[], Record<string, number | string | boolean>, RegExp][] = [
      ["add", [f("b", 3), f("b", 4)], {}, /shapes \[b, 3\] and \[b, 4\] do not fit/],
      ["add", [f("b"), f("t")], {}, /do not fit/],
      ["add", [f("b"), ids("b")], {}, /one dtype/],
      ["silu", [ids("b")], {}, /floating-point/],
      ["matmul", [f("b", 3), f(4, 5)], {}, /inner sizes 3 and 4 differ/],
      ["split", [f("b", 10)], { count: 3 }, /does not divide/],
      ["attention", [f("b", "t", 6, 4), f("b", "t", 4, 4), f("b", "t", 4, 4), ids("b", "t")], {}, /multiple/],
      ["attention", [f("b", "t", 6, 4), f("b", "t", 3, 4), f("b", "t", 3, 4), f("b", "t")], {}, /sees/],
      ["attention_with_sink", [...[6, 3, 3].map((h) => f("b", "t", h, 4)), ids("b", "t"), f(3)], {}, /one number for each of 6 heads/],
      ["rms_norm", [f("b", 6), f(5)], { eps: 1e-6 }, /not the last axis/],
      ["rotate", [f("b", "t", 2, 7), f("b", "t", 3), f("b", "t", 3)], {}, /even/],
      ["slice", [f("b", 6)], { from: 4, to: 9, axis: -1 }, /not a range/],
      ["reshape", [f("b", 6)], { shape: "b" }, /different numbers/],
      ["dropout", [f("b"), ids()], { p: 1 }, /below 1/],
      ["cross_entropy", [f("n", 5), ids("t")], {}, /do not fit/],
      ["gather", [f(5, 4), f("b")], {}, /whole-number/],
    ];
    for (const [name, types, attrs, words] of problems) {
      const answer = ops.get(name)!.type(types, attrs);
      assert.ok("problem" in answer, `${name} accepts what it should refuse`);
      assert.match(answer.problem, words);
    }
  });

  test("sizes stay symbols where a definition is checked without a checkpoint", () => {
    const graph = createGraph();
    const x = graph.input("x", { dtype: "f32", shape: ["b", "t", "width"] });
    const heads = graph.add("split", [x], { count: "heads" });
    assert.equal(heads.type.shape, ["b", "t", "heads", "width/heads"]);
    assert.equal(graph.add("join", [heads]).type.shape, ["b", "t", "width"]);
  });

  test("flops count multiply-adds as two", () => {
    const { node } = callGraph("matmul", { inputs: [{ shape: ["b", "t", 64] }, { shape: [64, 32] }] });
    const flops = ops.get("matmul")!.flops!(
      node.inputs.map((n) => n.type),
      node.attrs,
      node.type,
    );
    assert.is(at(flops, { b: 2, t: 3 }), 2 * 6 * 64 * 32);
  });

  test("dropout keeps its share, and neither rows, columns, seeds nor sites move together", () => {
    const n = 256;
    const p = 0.1;
    const mask = (seed: number, site: number) =>
      Float64Array.from({ length: n * n }, (_, i) => (kept(seed, site, Math.floor(i / n), i % n, p) ? 0 : 1));
    const first = mask(1, 1);
    const share = (values: Float64Array) => values.reduce((a, b) => a + b, 0) / values.length;
    const sigma = Math.sqrt((p * (1 - p)) / (n * n));
    assert.ok(Math.abs(share(first) - p) < 5 * sigma, `share ${share(first)}`);
    // Both dropped: p² if independent.
    const together = (other: (i: number) => number) => share(first.map((v, i) => v * other(i)));
    const pair = Math.sqrt((p * p * (1 - p * p)) / (n * n));
    const others: Record<string, (i: number) => number> = {
      "next column": (i) => first[(i % n) + 1 < n ? i + 1 : i + 1 - n]!,
      "next row": (i) => first[(i + n) % (n * n)]!,
      "next seed": (
        (m) => (i: number) =>
          m[i]!
      )(mask(2, 1)),
      "next site": (
        (m) => (i: number) =>
          m[i]!
      )(mask(1, 2)),
      "site as seed": (
        (m) => (i: number) =>
          m[i]!
      )(mask(0, 2)),
    };
    for (const [what, other] of Object.entries(others))
      assert.ok(Math.abs(together(other) - p * p) < 6 * pair, `${what}: ${together(other)} is not ${p * p}`);
    // Corners of a rectangle, the pattern that a hash of a row part and a column part is weakest at: p⁴ if independent.
    const quads = share(
      first.map(
        (v, i) => v * others["next column"]!(i) * others["next row"]!(i) * first[(((i % n) + 1) % n) + ((Math.floor(i / n) + 1) % n) * n]!,
      ),
    );
    assert.ok(Math.abs(quads - p ** 4) < 6 * Math.sqrt(p ** 4 / (n * n)), `corners: ${quads} is not ${p ** 4}`);
    for (let line = 0; line < n; line++) {
      const bound = 6 * Math.sqrt((p * (1 - p)) / n);
      assert.ok(Math.abs(share(first.subarray(line * n, (line + 1) * n)) - p) < bound, `row ${line}`);
      assert.ok(Math.abs(share(first.filter((_, i) => i % n === line)) - p) < bound, `column ${line}`);
    }
  });

  test("the error function is right to double precision", () => {
    for (const [x, y] of [
      [0.1, 0.1124629160182849],
      [1, 0.8427007929497149],
      [2.4, 0.9993114861033549],
      [2.6, 0.9997639655834707],
      [-3.5, -0.9999992569016276],
    ] as const)
      assert.ok(Math.abs(errorFunction(x) - y) < 1e-14, `erf(${x})`);
  });
});
