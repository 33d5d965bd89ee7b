// Ten training steps of whole models on the webgpu device against the interpreter, and the same bits twice.

import { emitSegments } from "../../compiler/emit/segments.ts";
import type { Session } from "../../runtime/devices/device.ts";
import type { Job } from "../../spec/job.ts";
import { evaluateScalar } from "../../spec/scalar.ts";
import { behind, build, drawAll, gptConfig, llamaConfig, randomBatch, referenceDevice } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";
import { device, missing } from "./run-segment.ts";

const pipeline = (adapter: string, data = 'train = text("rows.txt")'): string => `peft 1
base tiny = blank("base/", seed: 3)
adapter some ${adapter.startsWith("{") || adapter.includes("adapter ") ? adapter : `= ${adapter}`}
data rows { ${data}  answer = "{text}" }
train some on rows {
  optimizer: adamw(learning_rate: 1e-2, weight_decay: 0.1)
  schedule: cosine(warmup: 2 steps)
  steps: 10  micro_batch_size: 2  sequence_len: 8  max_grad_norm: 1.0
}`;

const train = async (job: Job, session: Session): Promise<{ losses: number[]; parameters: Float32Array }> => {
  const drawn = await drawAll(job, (name, data) => session.write(name, Float32Array.from(data)), { nonzero: true });
  for (const { name, source } of job.parameters)
    if (source.kind === "stack") await session.write(name, Float32Array.from(source.of.flatMap((one) => [...drawn.get(one)!])));
  const losses: number[] = [];
  const plan = job.train[0]!;
  for (let step = 0; step < 10; step++) {
    const batch = behind(randomBatch(2, 8, job.base.vocab_size, step + 1), plan.virtual ?? 0);
    if (job.values.which) await session.write("which", Int32Array.of(step % 2, 1));
    for (const name of ["ids", "positions", "rows", "targets"] as const) await session.write(name, batch[name]);
    await session.write("scale", Float32Array.of(1 / batch.n));
    if (plan.seeds > 0)
      await session.write(
        "seeds",
        Int32Array.from({ length: 64 * plan.seeds }, (_, i) => Math.imul(i + step, 7919)),
      );
    await session.run(plan.step, { b: batch.b, t: batch.t, n: batch.n });
    losses.push(((await session.read("loss", plan.step)) as Float32Array)[0]!);
    await session.write(
      "some.scalars",
      Float32Array.from(plan.scalars, (expr) => evaluateScalar(expr, { step, total: 10 })),
    );
    await session.run(plan.norm, {});
    await session.run(plan.update, {});
  }
  const parameters = (await session.read("some.parameters")) as Float32Array;
  const part = new Float32Array(8);
  await session.writePart("some.parameters", 64, parameters.subarray(0, 4));
  await session.readPart("some.parameters", 62, part);
  assert.equal(part, Float32Array.of(...parameters.subarray(62, 64), ...parameters.subarray(0, 4), ...parameters.subarray(68, 70)));
  // Between parameters lies padding, which nothing else puts back.
  await session.write("some.parameters", parameters);
  return { losses, parameters };
};

// Two models cover every kernel class; more would only compile the same kernels again, and a software driver takes a second each.
const mixed = `= mix(first, second)
adapter first = lora(r: 2) into tiny.layers.*.attn.q
adapter second = lora(r: 2) into tiny.layers.*.attn.q`;

const cases: readonly [string, object][] = [
  ["lora(r: 2, dropout: 0.3) into tiny.layers.**", { ...llamaConfig, num_hidden_layers: 2 }],
  ["tune() into tiny.**", gptConfig],
  [
    "{ prompt(tokens: 2) into tiny  prefix(tokens: 3) into tiny  bottleneck(reduction: 4) into tiny.layers.* }",
    { ...llamaConfig, num_hidden_layers: 2 },
  ],
  ["gated_prompt(tokens: 3) into tiny.layers.*.attn", { ...llamaConfig, num_hidden_layers: 1 }],
  [mixed, { ...llamaConfig, num_hidden_layers: 1 }],
];

group("training on webgpu", (test) => {
  for (const [adapter, config] of cases)
    test(
      `${adapter.split("\n")[0]} on ${config === gptConfig ? "gpt2" : "llama"}: ten steps equal the interpreter's, and the same bits twice`,
      async () => {
        const rows = adapter === mixed ? 'train = csv("rows.csv")  adapter = "{which}"' : undefined;
        const built = await build(pipeline(adapter, rows), config);
        const { job, files } = emitSegments(built);
        const expected = await train(built.job, await referenceDevice(built.segments).open(built.job, async () => new Uint8Array()));
        const session = await (await device()).open(job, async (path) => new TextEncoder().encode(files.get(path) as string));
        const first = await train(job, session);
        for (const [i, loss] of expected.losses.entries())
          assert.ok(Math.abs(first.losses[i]! - loss) <= 2e-4 * loss, `step ${i}: ${first.losses[i]} is not ${loss}`);
        for (const { value } of job.train[0]!.state) await session.write(value, new Float32Array(Number(job.values[value]!.shape[0])));
        const second = await train(job, session);
        assert.equal(second.parameters, first.parameters, "same seed, same device, same bits");
        const [planned, held] = [job.plan.webgpu!, session.bytes()];
        assert.ok(Math.abs(held / planned - 1) <= 0.01, `the device holds ${held} bytes of ${planned} planned`);
        await session.close();
      },
      { skip: missing },
    );
});
