// The cpu device on a hand-written job: two segments, one of them called twice; values in arenas and of their own; symbolic
// sizes; an output on its input's memory.

import { emitOnnx } from "../compiler/emit/onnx.ts";
import { createGraph, type SegmentGraph } from "../compiler/graph/graph.ts";
import { cpuDevice } from "../runtime/devices/cpu.ts";
import type { Call, Job, Segment, TensorType, Value } from "../spec/job.ts";
import { assert, group } from "./harness.ts";

const f = (...shape: (number | string)[]): TensorType => ({ dtype: "f32", shape });
const at = (type: TensorType, arena: string, offset: number): Value => ({ ...type, place: { arena, offset } });

/** y = x @ w + x, the square of a tensor, and the update of a weight in place: w = w - rate · g. */
const graphs = (): Record<string, SegmentGraph> => {
  const layer = createGraph();
  const x = layer.input("x", f("b", "t", 3));
  const w = layer.input("w", f(3, 3));
  const product = layer.add("add", [layer.add("matmul", [x, w], { transpose_a: false, transpose_b: false }), x]);
  const update = createGraph();
  const p = update.input("p", f(3, 3));
  const g = update.input("g", f(3, 3));
  const rate = update.input("rate", f());
  const next = update.add("sub", [p, update.add("mul", [rate, g])]);
  // Reads p again after next is known, so that writing next onto p's memory would be seen.
  const again = update.add("add", [next, update.add("matmul", [p, p])]);
  const named = (nodes: Record<string, typeof x>) => Object.entries(nodes).map(([name, node]) => ({ name, node }));
  return {
    layer: { name: "layer", inputs: named({ x, w }), outputs: named({ y: product }) },
    update: { name: "update", inputs: named({ p, g, rate }), outputs: named({ next, again }) },
  };
};

const jobOf = (segments: Record<string, SegmentGraph>, b = 4): Job => {
  const calls: Call[] = [
    { segment: "layer", inputs: ["x", "w0"], outputs: ["h"] },
    { segment: "layer", inputs: ["h", "w1"], outputs: ["y"] },
  ];
  const port = ({ name, node }: SegmentGraph["inputs"][number]) => ({ name, ...node.type });
  const endsOf = ({ inputs, outputs }: SegmentGraph) => ({
    inputs: inputs.map(({ name }) => name),
    outputs: outputs.map(({ name }) => name),
  });
  const segmentOf = (segment: SegmentGraph): Segment => ({
    inputs: segment.inputs.map(port),
    outputs: segment.outputs.map(port),
    parts: [{ onnx: `graphs/${segment.name}.onnx`, engine: 0, keeps: b < 100 ? 1 : 0, ...endsOf(segment) }],
    between: {},
    wgsl: "",
    kernels: [],
    scratch: {},
    flops: 0,
  });
  const dims = { b, t: 5 };
  const size = b * 5 * 3 * 4;
  return {
    format: "peft-job/1",
    dims,
    arenas: { activations: 3 * size, state: 256 },
    values: {
      w0: { ...f(3, 3), place: { own: true } },
      w1: at(f(3, 3), "state", 0),
      gradient: at(f(3, 3), "state", 64),
      again: at(f(3, 3), "state", 128),
    },
    segments: Object.fromEntries(Object.entries(segments).map(([name, segment]) => [name, segmentOf(segment)])),
    programs: {
      forward: {
        values: {
          x: at(f("b", "t", 3), "activations", 0),
          h: at(f("b", "t", 3), "activations", size),
          y: at(f("b", "t", 3), "activations", 2 * size),
        },
        calls,
        inputs: ["x"],
        outputs: ["y"],
        dims,
        peak: 3 * size,
        flops: 0,
      },
      update: {
        values: { rate: at(f(), "activations", 0) },
        calls: [{ segment: "update", inputs: ["w1", "gradient", "rate"], outputs: ["w1", "again"] }],
        inputs: ["rate"],
        outputs: [],
        dims: {},
        peak: 4,
        flops: 0,
      },
    },
  } as unknown as Job;
};

const openJob = async (b = 4) => {
  const segments = graphs();
  const job = jobOf(segments, b);
  const reads: string[] = [];
  const device = await cpuDevice({ threads: 2 });
  const session = await device.open(job, async (path) => {
    reads.push(path);
    return emitOnnx(segments[path.replace(/graphs\/|\.onnx/g, "")]!);
  });
  return { job, device, session, reads };
};

const fill = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(seed + i));
const layer = (x: Float32Array, w: Float32Array): Float32Array =>
  x.map((v, i) => v + [0, 1, 2].reduce((sum, k) => sum + x[i - (i % 3) + k]! * w[k * 3 + (i % 3)]!, 0));
const near = (a: ArrayLike<number>, b: ArrayLike<number>): void => {
  assert.is(a.length, b.length);
  for (let i = 0; i < a.length; i++) assert.ok(Math.abs(a[i]! - b[i]!) < 1e-5, `element ${i} is ${a[i]}, not ${b[i]}`);
};

group("cpu device", (test) => {
  test("runs a program at several sizes, with one session per distinct segment", async () => {
    const { session, reads } = await openJob();
    const [w0, w1] = [fill(9, 1), fill(9, 2)];
    session.write("w0", w0);
    session.write("w1", w1);
    for (const dims of [
      { b: 4, t: 5 },
      { b: 1, t: 2 },
      { b: 4, t: 5 },
      { b: 3, t: 1 },
    ]) {
      const x = fill(dims.b * dims.t * 3, dims.t);
      session.write("x", x, "forward");
      await session.run("forward", dims);
      near(await session.read("y", "forward"), layer(layer(x, w0), w1));
    }
    assert.equal(reads, ["graphs/layer.onnx"]);
    await session.close();
  });

  test("a run leaves no copies of its results behind", async () => {
    const { session } = await openJob(40_000);
    const run = async (): Promise<void> => session.run("forward", { b: 40_000, t: 5 });
    await run();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 10; i++) await run();
    // Each run has two results of 2.4 MB.
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < 2_400_000, `${grown} bytes more after ten runs`);
    await session.close();
  });

  test("parts of a value are written and read", async () => {
    const { session } = await openJob();
    session.write("w1", fill(9, 1));
    session.writePart("w1", 4, Float32Array.of(7, 8));
    const part = new Float32Array(3);
    await session.readPart("w1", 3, part);
    assert.equal(part, Float32Array.of(fill(9, 1)[3]!, 7, 8));
    await session.close();
  });

  test("an output on its input's memory is right", async () => {
    const { session } = await openJob();
    const [p, g] = [fill(9, 3), fill(9, 4)];
    const square = layer(p, p).map((v, i) => v - p[i]!);
    session.write("w1", p.slice());
    session.write("gradient", g);
    session.write("rate", Float32Array.of(0.5), "update");
    await session.run("update", {});
    const next = p.map((v, i) => v - 0.5 * g[i]!);
    near(await session.read("w1"), next);
    near(
      await session.read("again"),
      next.map((v, i) => v + square[i]!),
    );
    await session.close();
  });

  test("memory of its own is the array that was written", async () => {
    const { session, job } = await openJob();
    const before = session.bytes();
    const w0 = fill(9, 1);
    session.write("w0", w0);
    assert.is(session.bytes() - before, 36);
    session.write("w1", fill(9, 2));
    session.write("x", fill(60, 0), "forward");
    await session.run("forward", { b: 4, t: 5 });
    assert.is(session.bytes(), 36 + job.arenas.activations! + job.arenas.state!);
    await session.close();
  });

  test("says what is wrong with a value", async () => {
    const { session } = await openJob();
    assert.throws(() => session.write("nothing", fill(1, 0)), /no value nothing/);
    assert.throws(() => session.write("w1", Int32Array.of(1)), /Float32Array/);
    assert.throws(() => session.write("w1", fill(10, 0)), /room for 9/);
    await session.close();
  });

  test("names itself", async () => {
    const { device } = await openJob();
    assert.is(device.name, "cpu");
    assert.match(device.describe(), /2 threads, ONNX Runtime 1\.\d+/);
  });
});
