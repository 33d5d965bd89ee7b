// Computing in 16 bits: products round their operands and nothing else, what crosses between calls has 16 bits, every device means the
// same by it, and gradients do not fall out of its range however large the batch.

import { emitParts } from "../../compiler/emit/parts.ts";
import { emitSegments } from "../../compiler/emit/segments.ts";
import { type Attrs, createGraph, reachable, type SegmentGraph } from "../../compiler/graph/graph.ts";
import { interpretSegment } from "../../compiler/graph/interpret.ts";
import type { Tensor } from "../../compiler/graph/op.ts";
import { toHalf } from "../../compiler/ops/half.ts";
import { lacksHalves } from "../../runtime/choose-device.ts";
import type { Session } from "../../runtime/devices/device.ts";
import { narrow, widen } from "../../runtime/dtype.ts";
import { give, openCpu, openReference } from "../compiler/sessions.ts";
import { type Built, build, drawAll, llamaConfig, randomBatch } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";
import { openParts } from "../segment-session.ts";
import { device, missing, openSegment } from "../webgpu/run-segment.ts";
import { fillBoth, normal } from "./support.ts";

/** Half the distance between neighbours, relative: 11 bits of mantissa. */
const unit = 2 ** -11;

// ---- one product ----------------------------------------------------------------------------------------------------

type Shape = readonly [number, number];
const products: readonly (readonly [what: string, op: string, attrs: Attrs, x: Shape, w: Shape])[] = [
  ["x·Wᵀ", "matmul", { transpose_b: true }, [6, 40], [24, 40]],
  ["dy·W", "matmul", {}, [6, 24], [24, 40]],
  ["dyᵀ·x", "contract", {}, [50, 24], [50, 8]],
];

const segmentOf = (op: string, attrs: Attrs, x: Shape, w: Shape): SegmentGraph => {
  const graph = createGraph();
  const inputs = [x, w].map((shape, i) => ({ name: "xw"[i]!, node: graph.input("xw"[i]!, { dtype: "f32", shape }) }));
  const node = graph.add(
    op,
    inputs.map((input) => input.node),
    attrs,
  );
  return { name: "product", inputs, outputs: [{ name: "y", node }] };
};

/** The product of rounded operands is the product, up to the error of rounding both, and of adding up in f32. */
const checkProduct = async (
  [what, op, attrs, x, w]: (typeof products)[number],
  run: (segment: SegmentGraph, inputs: Readonly<Record<string, Tensor>>) => Promise<ArrayLike<number>>,
): Promise<void> => {
  const fill = (shape: Shape, seed: number): Tensor => ({ shape, data: Float64Array.from(normal(shape[0] * shape[1], seed)) });
  const inputs = { x: fill(x, 1), w: fill(w, 2) };
  const sizes = Object.fromEntries(Object.entries(inputs).map(([name, { shape, data }]) => [name, { shape, data: data.map(Math.abs) }]));
  const plain = segmentOf(op, attrs, x, w);
  const [exact, size] = [inputs, sizes].map((given) => interpretSegment(plain, given, {}).y!.data);
  const found = await run(segmentOf(op, { ...attrs, half: true }, x, w), inputs);
  const depth = op === "contract" ? x[0] : x[1];
  const relative = 2 * unit + unit * unit + depth * 2 ** -24;
  // Below 2^-14 a half is off by as much as 2^-25; no number here is larger than 8.
  const absolute = depth * 2 ** -25 * 16;
  let moved = 0;
  for (const [i, y] of exact!.entries()) {
    const off = Math.abs(found[i]! - y);
    moved = Math.max(moved, off / size![i]!);
    assert.ok(off <= relative * size![i]! + absolute, `${what}: element ${i} is ${found[i]}, not ${y}`);
  }
  assert.ok(moved > unit / 100, `${what}: nothing was rounded`);
};

// ---- a step ---------------------------------------------------------------------------------------------------------

const pipeline = (compute: string, store = ""): string => `peft 1
base tiny = blank("base/", seed: 3)${store && ` {\n  store layers.** as ${store}\n}`}
adapter some = lora(r: 2, alpha: 3) into tiny.layers.**
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows { optimizer: adamw(learning_rate: 1e-2)  steps: 10  micro_batch_size: 2  sequence_len: 8${compute} }
`;
const inHalves = "  compute: f16";

const batch = randomBatch(2, 8, llamaConfig.vocab_size);

interface Step {
  readonly loss: number;
  /** Of all trained parameters, one after the other. */
  readonly slope: Float32Array;
}

const stepOf = async ({ job }: Built, session: Session, scale = 1 / batch.n): Promise<Step> => {
  await give(session, batch, scale);
  await session.run(job.train[0]!.step, { b: batch.b, t: batch.t, n: batch.n });
  const slopes: number[] = [];
  for (const { name, trained } of job.parameters) if (trained) slopes.push(...((await session.read(`gradient(${name})`)) as Float32Array));
  return { loss: ((await session.read("loss", job.train[0]!.step)) as Float32Array)[0]!, slope: Float32Array.from(slopes) };
};

const start = async ({ job }: Built, session: Session): Promise<void> => {
  for (const [name, values] of await drawAll(job, () => {}, { nonzero: true })) if (job.values[name]) await session.write(name, values);
};

const apart = (a: Step, b: Step): number => Math.hypot(...a.slope.map((x, i) => x - b.slope[i]!)) / Math.hypot(...b.slope);

/** How often a number is rounded on its way through the step: once for each operand of each product, and for each value that crosses. */
const roundings = ({ job, segments }: Built): number =>
  job.programs[job.train[0]!.step]!.calls.reduce((sum, { segment }) => {
    const { outputs } = segments.get(segment)!;
    const products = reachable(outputs.map(({ node }) => node)).filter(({ attrs }) => attrs.half === true);
    return sum + 2 * products.length + outputs.filter(({ node }) => node.type.dtype === "f16").length;
  }, 0);

group("f16", (test) => {
  test("rounding to a half is the storage format's", () => {
    const small = normal(2000, 4).map((x) => x * 1e-6);
    const large = normal(500, 5).map((x) => x * 4e4);
    const values = Float32Array.of(...normal(2000, 3), ...small, ...large, 65519.996, 65520, 2 ** -25, 3 * 2 ** -25, 0, -0);
    const bits = new Uint16Array(values.length);
    narrow(values, "F16", bits);
    const back = new Float32Array(values.length);
    widen(bits, "F16", back);
    for (const [i, value] of values.entries()) assert.ok(Object.is(toHalf(value), back[i]!), `${value}: ${toHalf(value)}, not ${back[i]}`);
  });

  for (const product of products) {
    test(`${product[0]} is the product within the error of rounding, in the reference and on ONNX Runtime`, async () => {
      await checkProduct(product, async (segment, inputs) => interpretSegment(segment, inputs, {}).y!.data);
      await checkProduct(product, async (segment, inputs) => {
        const emitted = emitParts(segment, "s", { sizes: {}, shared: true });
        const files = new Map(emitted.files);
        const session = await openParts(segment, emitted, {}, { threads: 1, shared: true }, async (path) => files.get(path)!);
        for (const [name, { data }] of Object.entries(inputs)) await session.write(name, Float32Array.from(data), "p");
        await session.run("p", {});
        const y = (await session.read("y", "p")) as Float32Array;
        await session.close();
        return y;
      });
    });
    test(
      `${product[0]} is the product within the error of rounding, on webgpu`,
      async () => {
        await checkProduct(product, async (segment, inputs) => {
          const { session, wgsl, run } = await openSegment(segment, {});
          assert.match(wgsl, /^enable f16;[\s\S]*array<vec4<f16>/);
          const { y } = await run(inputs, {});
          await session.close();
          return y as Float32Array;
        });
      },
      { skip: missing },
    );
  }

  test("a step on the cpu is the reference's, and that is as far from f32's as its roundings add up to", async () => {
    const [half, full] = [await build(pipeline(inHalves), llamaConfig), await build(pipeline(""), llamaConfig)];
    const run = async (built: Built, open: (built: Built) => Promise<Session>): Promise<Step> => {
      const session = await open(built);
      await start(built, session);
      return stepOf(built, session);
    };
    const [reference, cpu, exact] = [await run(half, openReference), await run(half, openCpu), await run(full, openReference)];
    // A sum that differs in f32's last place rounds to another half now and then.
    assert.ok(apart(cpu, reference) <= 2 * unit, `gradients are ${apart(cpu, reference)} apart`);
    assert.ok(Math.abs(cpu.loss / reference.loss - 1) <= 2 * unit, `${cpu.loss} is not ${reference.loss}`);
    // Roundings that know nothing of each other add up as the root of their number (Higham and Mary 2019); twice that.
    const most = 2 * Math.sqrt(roundings(half)) * unit;
    assert.ok(apart(reference, exact) <= most, `f16 and f32 are ${apart(reference, exact)} apart, more than ${most}`);
    assert.ok(apart(reference, exact) > unit / 10, "nothing was rounded");
  });

  test("a GPU that cannot is told before the run, and only where the file asks for it", () => {
    const gpu = (...features: string[]) => ({ adapter: { features: new Set(features) } as unknown as GPUAdapter, description: "a GPU" });
    assert.is(lacksHalves(gpu(), [{}, { compute: "f16" }])?.code, "PEFT0665");
    assert.is(lacksHalves(gpu(), [{}]), undefined);
    assert.is(lacksHalves(gpu("shader-f16"), [{ compute: "f16" }]), undefined);
  });

  test("activations take half as much, and parameters, gradients and optimizer state as much as ever", async () => {
    const [half, full] = [await build(pipeline(inHalves), llamaConfig), await build(pipeline(""), llamaConfig)];
    const { activations: narrower, ...rest } = half.job.arenas;
    const { activations: wide, ...others } = full.job.arenas;
    assert.equal(rest, others);
    assert.ok(narrower! < 0.56 * wide!, `${narrower} of ${wide} bytes`);
    assert.is(half.job.train[0]!.compute, "f16");
  });

  test("a token's share in the batch moves no gradient out of the range of 16 bits", async () => {
    const built = await build(pipeline(inHalves), llamaConfig);
    const session = await openCpu(built);
    await start(built, session);
    const [usual, tiny] = [await stepOf(built, session), await stepOf(built, session, 2 ** -40 / batch.n)];
    assert.equal(
      tiny.slope,
      usual.slope.map((x) => x * 2 ** -40),
    );
    await session.close();
  });

  test(
    "a step on webgpu over packed weights is the reference's; the device holds what is planned",
    async () => {
      const built = await build(pipeline(inHalves, "nf4(block: 32)"), { ...llamaConfig, num_hidden_layers: 2 });
      const { job, files } = emitSegments(built);
      const session = await (await device()).open(job, async (path) => new TextEncoder().encode(files.get(path) as string));
      const reference = await openReference(built);
      const unused = await openReference(await build(pipeline(inHalves), { ...llamaConfig, num_hidden_layers: 2 }));
      await fillBoth(built, session, unused);
      await fillBoth(built, reference, unused);
      const [found, expected] = [await stepOf(built, session), await stepOf(built, reference)];
      assert.ok(apart(found, expected) <= 2 * unit, `gradients are ${apart(found, expected)} apart`);
      await session.run(job.train[0]!.norm, {});
      await session.run(job.train[0]!.update, {});
      const [planned, held] = [job.plan.webgpu!, session.bytes()];
      assert.ok(Math.abs(held / planned - 1) <= 0.01, `the device holds ${held} bytes of ${planned} planned`);
      await session.close();
    },
    { skip: missing },
  );
});
