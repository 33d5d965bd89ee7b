// Training on a stored base is training on what the base reads back as: the same loss and the same gradients, for every format, with
// methods of every kind, on each device.

import { engineMemory } from "../../compiler/emit/engine-memory.ts";
import { emitOnnx } from "../../compiler/emit/onnx.ts";
import { profiles } from "../../compiler/emit/profile.ts";
import { emitSegments } from "../../compiler/emit/segments.ts";
import { reachable } from "../../compiler/graph/graph.ts";
import { fuse } from "../../compiler/kernels/fuse.ts";
import { at, product } from "../../compiler/values/dims.ts";
import type { Session } from "../../runtime/devices/device.ts";
import { openCpu, openReference } from "../compiler/sessions.ts";
import { type Built, build, gptConfig, llamaConfig } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";
import { everyFormat, fillBoth, lossAfter, storedPipeline } from "./support.ts";

/** Largest difference of the loss and of any gradient, relative to the largest gradient. */
const difference = async (
  store: string,
  adapter: string,
  config: object,
  open: (built: Built) => Promise<Session>,
): Promise<{ loss: number; gradient: number }> => {
  const stored = await build(storedPipeline(store, adapter), config);
  const plain = await build(storedPipeline("", adapter), config);
  const [kept, beside] = [await open(stored), await open(plain)];
  await fillBoth(stored, kept, beside);
  const losses = [await lossAfter(kept, stored.job, "train.0.step"), await lossAfter(beside, plain.job, "train.0.step")];
  let gradient = 0;
  for (const { name } of stored.job.parameters.filter((parameter) => parameter.trained)) {
    const [a, b] = [await kept.read(`gradient(${name})`), (await beside.read(`gradient(${name})`)) as Float32Array];
    const size = b.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-6);
    for (let i = 0; i < a.length; i++) gradient = Math.max(gradient, Math.abs(a[i]! - b[i]!) / size);
  }
  await kept.close();
  await beside.close();
  return { loss: Math.abs(losses[0]! / losses[1]! - 1), gradient };
};

const formats = ["nf4(block: 32)", "nf4(double: true)", "fp4()", "int8()", "affine8(block: 16)", "affine4()", "dynamic8()"];
const methods: readonly [string, object][] = [
  ["lora(r: 2, alpha: 3) into tiny.layers.**", llamaConfig],
  ["lora(r: 12, dropout: 0) into tiny.layers.*.mlp.**", llamaConfig],
  ["lora(r: 2) into tiny.layers.*.attn.qkv", gptConfig],
  ["tune() into tiny.**.{attn_norm, mlp_norm}", gptConfig],
];

group("stored", (test) => {
  for (const format of formats)
    test(`training over ${format} is training over what it reads back as`, async () => {
      const { loss, gradient } = await difference(`layers.** as ${format}`, methods[0]![0], llamaConfig, openReference);
      assert.ok(loss < 1e-6 && gradient < 1e-5, `loss off by ${loss}, gradients by ${gradient}`);
    });
  for (const [method, config] of methods)
    test(`${method} over a stored base, on ONNX Runtime`, async () => {
      for (const format of ["nf4(double: true)", "int8()", "bf16()", "f16()", "affine4()"]) {
        const { loss, gradient } = await difference(`layers.**, embed as ${format}`, method, config, openCpu);
        assert.ok(loss < 1e-5 && gradient < 1e-3, `${format}: loss off by ${loss}, gradients by ${gradient}`);
      }
    });
  test("where blocks do not run over rows the engine unpacks by itself, with the same result", async () => {
    const wide = { ...llamaConfig, hidden_size: 64, intermediate_size: 96 };
    for (const [format, engine] of [
      ["nf4(block: 32, double: true)", true],
      ["fp4(block: 16)", true],
      ["affine4()", false],
    ] as const) {
      const { segments } = await build(storedPipeline(`layers.** as ${format}`), wide);
      const layer = [...segments.values()].find(({ name }) => name === "layers.forward")!;
      assert.is(new TextDecoder("latin1").decode(emitOnnx(layer)).includes("MatMulBnb4"), engine, format);
      const { loss, gradient } = await difference(`layers.** as ${format}`, methods[0]![0], wide, openCpu);
      assert.ok(loss < 1e-5 && gradient < 1e-3, `${format}: loss off by ${loss}, gradients by ${gradient}`);
    }
  });
  test("no f32 copy of a packed base is held: the plan of a whole run is a fraction of one", async () => {
    const wide = { ...llamaConfig, hidden_size: 512, intermediate_size: 1024, num_hidden_layers: 24, num_attention_heads: 8 };
    const built = await build(storedPipeline("layers.**, embed as nf4()"), wide);
    const { job } = emitSegments(built);
    const matrices = job.parameters.filter(({ format }) => format !== undefined);
    const copy = matrices.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
    for (const { name } of matrices) assert.is(job.values[name], undefined, `${name} has a value beside its codes`);
    const largest = Math.max(...matrices.map(({ shape }) => 4 * shape.reduce((a, b) => a * b, 1)));
    // One thread's: codes, and the matrices of one part of a layer while it runs.
    for (const device of ["cpu", "webgpu"] as const) {
      const lanes = device === "cpu" ? (job.lanes ?? 1) : 1;
      assert.ok(job.plan[device]! / lanes < copy / 2, `${device}: ${job.plan[device]} bytes in ${lanes} lanes, a copy is ${copy}`);
    }
    assert.ok(job.arenas.scratch === undefined || job.arenas.scratch <= 3 * largest, "one unpacked matrix at a time");
  });
  for (const width of [16, 128])
    test(`a table of rows ${width} wide is looked up first and unpacked after, on both devices`, async () => {
      const rows = 600;
      const config = { ...llamaConfig, vocab_size: rows, hidden_size: width, num_hidden_layers: 1, tie_word_embeddings: false };
      for (const call of everyFormat) {
        const { job, segments } = await build(storedPipeline(`embed as ${call}`), config);
        if (Object.values(job.formats)[0]!.dtype !== "u8") continue;
        const first = [...segments.values()].filter(({ inputs }) => inputs.some(({ name }) => name === "embed.weight.code"));
        assert.ok(first.length > 0);
        for (const segment of first) {
          const sizes = { b: 2, t: 8, n: 16, s: 8 };
          const whole = reachable(segment.outputs.map(({ node }) => node)).filter(
            ({ op, type }) => !["input", "reshape"].includes(op) && at(product(type.shape), sizes) >= rows,
          );
          // 16 tokens of the table's 600 rows are all that has a row's width.
          assert.equal(
            whole.filter(({ type }) => !type.shape.includes("b")).map(({ op }) => op),
            [],
            `${call}: unpacked as a whole`,
          );
          const { scratch } = fuse(segment, profiles.default!, sizes);
          for (const type of scratch.values())
            assert.ok(at(product(type.shape), sizes) <= 16 * width, `${call}: a kernel writes the table`);
          assert.ok(engineMemory(segment, sizes).inside < 4 * rows * width, `${call}: ONNX Runtime holds the table`);
        }
      }
    });
  test("what is not stored, and what is stored in another way, stays apart", async () => {
    const { job } = await build(
      storedPipeline("layers.*.mlp.** as nf4(), layers.0..1.attn.** as int8()".replace("(), l", "()\n  store l")),
      llamaConfig,
    );
    const of = (name: string): string | undefined => job.parameters.find((parameter) => parameter.name === name)!.format;
    assert.match(of("layers.0.mlp.down.weight")!, /^nf4/);
    assert.match(of("layers.1.attn.q.weight")!, /^int8/);
    assert.is(of("layers.2.attn.q.weight"), undefined);
    assert.is(of("layers.0.attn_norm.weight"), undefined);
    assert.is(of("embed.weight"), undefined);
  });
  test("a fault in a decoded code is seen", async () => {
    const stored = await build(storedPipeline("layers.** as nf4()"), llamaConfig);
    const plain = await build(storedPipeline(""), llamaConfig);
    const [kept, beside] = [await openReference(stored), await openReference(plain)];
    await fillBoth(stored, kept, beside);
    const codes = (await kept.read("layers.1.mlp.up.weight.code")) as unknown as Float32Array;
    await kept.write(
      "layers.1.mlp.up.weight.code",
      codes.map((byte) => (byte + 16) % 256),
    );
    const [a, b] = [await lossAfter(kept, stored.job, "train.0.step"), await lossAfter(beside, plain.job, "train.0.step")];
    assert.ok(Math.abs(a / b - 1) > 1e-6);
  });
});
