// Every op, forward and backward, printed as ONNX and run by ONNX Runtime, equals its reference meaning at f32 precision, one
// session at several sizes. Then what the bytes must be: the same for the same graph, and quick to load.

import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { emitOnnx } from "../compiler/emit/onnx.ts";
import { createGraph, type DType, type Node, type SegmentGraph } from "../compiler/graph/graph.ts";
import { concreteType, interpretSegment } from "../compiler/graph/interpret.ts";
import type { Op, Tensor } from "../compiler/graph/op.ts";
import { ops } from "../compiler/ops/index.ts";
import { assert, group } from "./harness.ts";
import { fillInput, type Sample, type SampleInput, type Sizes, sampleSizes, samples } from "./op-samples.ts";

const fed = (value: Tensor, dtype: DType): OnnxTensor => {
  if (dtype === "i32") return new OnnxTensor("int32", Int32Array.from(value.data), value.shape);
  if (dtype === "u8") return new OnnxTensor("uint8", Uint8Array.from(value.data), value.shape);
  if (dtype === "u32") return new OnnxTensor("uint32", Uint32Array.from(value.data), value.shape);
  return new OnnxTensor("float32", Float32Array.from(value.data), value.shape);
};

const open = (segment: SegmentGraph): Promise<InferenceSession> =>
  InferenceSession.create(emitOnnx(segment), { intraOpNumThreads: 2, logSeverityLevel: 3 });

/** f32 against double precision: within 2e-5 of the largest element, whole numbers exactly. */
const close = (actual: ArrayLike<number>, expected: Tensor, exact: boolean, what: string): void => {
  assert.is(actual.length, expected.data.length, `${what}: number of elements`);
  const scale = expected.data.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-2);
  for (let i = 0; i < actual.length; i++)
    assert.ok(
      Math.abs(actual[i]! - expected.data[i]!) <= (exact ? 0 : 2e-5 * scale),
      `${what}: element ${i} is ${actual[i]}, its meaning is ${expected.data[i]}`,
    );
};

const agrees = async (segment: SegmentGraph, fills: Readonly<Record<string, SampleInput>>, sizes: readonly Sizes[]): Promise<void> => {
  const session = await open(segment);
  for (const at of sizes) {
    const values = Object.fromEntries(segment.inputs.map(({ name }, i) => [name, fillInput(fills[name]!, at, i)]));
    const feeds = Object.fromEntries(segment.inputs.map(({ name, node }) => [name, fed(values[name]!, node.type.dtype)]));
    const results = await session.run(feeds);
    const expected = interpretSegment(segment, values, at);
    for (const { name, node } of segment.outputs) {
      assert.equal([...results[name]!.dims], [...concreteType(node.type, at).shape], `${name}: shape`);
      close(
        results[name]!.data as Float32Array,
        expected[name]!,
        node.type.dtype !== "f32",
        `${segment.name} ${name} at ${JSON.stringify(at)}`,
      );
    }
  }
  await session.release();
};

/** The call, all its outputs, and its gradients for the given inputs. */
const segmentOf = (
  op: string,
  sample: Sample,
  wanted: readonly number[],
): { segment: SegmentGraph; fills: Record<string, SampleInput> } => {
  const graph = createGraph();
  const fills: Record<string, SampleInput> = {};
  const inputs: { name: string; node: Node }[] = sample.inputs.map((input, i) => {
    fills[`x${i}`] = input;
    return { name: `x${i}`, node: graph.input(`x${i}`, { dtype: input.dtype ?? "f32", shape: input.shape }) };
  });
  const node = graph.add(
    op,
    inputs.map((input) => input.node),
    sample.attrs,
  );
  const outputs = (node.types ?? [node.type]).map((_, i) => ({ name: `y${i}`, node: node.types ? graph.pick(node, i) : node }));
  if (wanted.length) {
    const d = graph.input("d", node.type);
    inputs.push({ name: "d", node: d });
    fills.d = { shape: node.type.shape };
    const gradients = ops.get(op)!.gradient!({ graph, node, d: [d], wants: sample.inputs.map((_, i) => wanted.includes(i)) });
    for (const i of wanted) outputs.push({ name: `d${i}`, node: gradients[i]! });
  }
  // A symbol that no tensor carries needs an input that does.
  const sizes = { dtype: "f32", shape: ["b", "t", "n", "s"] } as const;
  inputs.push({ name: "sizes", node: graph.input("sizes", sizes) });
  fills.sizes = { shape: sizes.shape };
  return { segment: { name: op, inputs, outputs }, fills };
};

const lawOf = async (name: string): Promise<void> => {
  for (const sample of samples[name]!) {
    const smooth = sample.smooth ?? [];
    for (const wanted of new Map([[], smooth, ...smooth.map((i) => [i])].map((list) => [list.join(), list])).values()) {
      const { segment, fills } = segmentOf(name, sample, wanted);
      await agrees(segment, fills, sampleSizes);
    }
  }
};

const withOp = async (name: string, change: (op: Op) => Partial<Op>, body: () => Promise<void>): Promise<void> => {
  const table = ops as Map<string, Op>;
  const original = table.get(name)!;
  table.set(name, { ...original, ...change(original) });
  try {
    await body();
  } finally {
    table.set(name, original);
  }
};

group("onnx", (test) => {
  for (const name of Object.keys(samples)) test(`${name} on ONNX Runtime is its meaning`, () => lawOf(name));

  const faults: readonly [name: string, fault: string, change: (op: Op) => Partial<Op>][] = [
    ["softmax", "the wrong axis", (op) => ({ onnx: (write, inputs, node) => op.onnx(write, inputs, { ...node, attrs: { axis: 0 } }) })],
    ["matmul", "a forgotten transposition", () => ({ onnx: (write, inputs) => [write.node("MatMul", inputs)] })],
    [
      "attention",
      "no mask",
      (op) => ({ onnx: (write, inputs, node) => op.onnx(write, inputs, { ...node, attrs: { ...node.attrs, causal: false } }) }),
    ],
    [
      "gather_gradient",
      "updates that overwrite",
      (op) => ({
        onnx: (write, inputs, node) =>
          op.onnx({ ...write, node: (o, i, a) => write.node(o, i, o === "ScatterElements" ? { axis: 0 } : a) }, inputs, node),
      }),
    ],
    [
      "dropout",
      "another site",
      (op) => ({ onnx: (write, inputs, node) => op.onnx(write, inputs, { ...node, attrs: { ...node.attrs, site: 77 } }) }),
    ],
  ];
  for (const [name, fault, change] of faults)
    test(`the law catches ${fault} in ${name}`, async () => {
      let caught = "";
      await withOp(name, change, async () => {
        try {
          await lawOf(name.replace("_gradient", ""));
        } catch (error) {
          caught = String(error);
        }
      });
      assert.is.not(caught, "", "the fault went unseen");
    });

  test("repeated ids add up, the same in every run", async () => {
    const graph = createGraph();
    const [ids, dy] = [graph.input("ids", { dtype: "i32", shape: ["b", "t"] }), graph.input("dy", { dtype: "f32", shape: ["b", "t", 32] })];
    const made = graph.add("gather_gradient", [ids, dy], { rows: 5 });
    const segment = {
      name: "repeat",
      inputs: [ids, dy].map((node) => ({ name: String(node.attrs.name), node })),
      outputs: [{ name: "y", node: made }],
    };
    const session = await open(segment);
    const sizes = { b: 16, t: 64 };
    const values = {
      ids: fillInput({ shape: ["b", "t"], fill: { below: 5 } }, sizes, 1),
      dy: fillInput({ shape: ["b", "t", 32] }, sizes, 2),
    };
    const expected = interpretSegment(segment, values, sizes).y!;
    const feeds = { ids: fed(values.ids, "i32"), dy: fed(values.dy, "f32") };
    const first = (await session.run(feeds)).y!.data as Float32Array;
    close(first, expected, false, "repeated ids");
    for (let i = 0; i < 100; i++) assert.equal((await session.run(feeds)).y!.data, first);
  });

  test("a symbol is found in c·symbol + k", async () => {
    const graph = createGraph();
    const x = graph.input("x", { dtype: "f32", shape: ["b", "2*t+3"] });
    const y = graph.add("broadcast", [graph.constant(1)], { shape: ["b", "t", 2] });
    const sum = graph.add("sum", [x], { axes: [1], keep: false });
    const segment = {
      name: "solve",
      inputs: [{ name: "x", node: x }],
      outputs: [
        { name: "y", node: y },
        { name: "s", node: sum },
      ],
    };
    await agrees(segment, { x: { shape: x.type.shape } }, sampleSizes);
  });

  test("an output may be an input, a constant, or another output", async () => {
    const graph = createGraph();
    const x = graph.input("x", { dtype: "f32", shape: ["b"] });
    const twice = graph.add("add", [x, x]);
    const outputs = [x, twice, twice, graph.constant(3)].map((node, i) => ({ name: `y${i}`, node }));
    await agrees({ name: "ends", inputs: [{ name: "x", node: x }], outputs }, { x: { shape: ["b"] } }, sampleSizes);
  });

  test("the gradient of slices that fill a tensor is one concatenation, and only then", async () => {
    const build = (bounds: readonly (readonly [number, number])[]) => {
      const graph = createGraph();
      const x = graph.input("x", { dtype: "f32", shape: ["b", "t", 2] });
      const pads = bounds.map(([before, after]) => graph.add("pad", [x], { axis: 2, before, after }));
      const y = pads.reduce((a, b) => graph.add("add", [a, b]));
      return { name: "joined", inputs: [{ name: "x", node: x }], outputs: [{ name: "y", node: y }] };
    };
    const spells = (segment: SegmentGraph, op: string) => Buffer.from(emitOnnx(segment)).includes(op);
    const filled = build([[2, 2], [0, 4], [4, 0]]); // biome-ignore format: pairs
    assert.ok(spells(filled, "Concat") && !spells(filled, "Pad"));
    const others = [build([[0, 4], [4, 0]]), build([[0, 4], [2, 2], [2, 2], [4, 0]]), build([[0, 2], [1, 1]])]; // biome-ignore format: pairs
    for (const other of others) assert.ok(!spells(other, "Concat") && spells(other, "Pad"));
    for (const segment of [filled, ...others]) await agrees(segment, { x: { shape: ["b", "t", 2] } }, sampleSizes);
  });

  test("the same graph gives the same bytes", () => {
    const build = () => emitOnnx(segmentOf("attention", samples.attention![1]!, [0, 1, 2]).segment);
    assert.equal(build(), build());
    assert.ok(build().length < 20_000, `${build().length} bytes`);
  });
});
