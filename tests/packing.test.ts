// Packing changes where examples lie and nothing else: a packed batch has the loss and the gradients of its examples apart, on
// every device; every example comes once an epoch; what cannot keep examples apart is refused.

import { emitSegments } from "../compiler/emit/segments.ts";
import { fillBatch, type PlannedBatch, paddingOf, planEpoch } from "../runtime/data/batches.ts";
import type { Examples } from "../runtime/data/examples.ts";
import { packBest, packNext } from "../runtime/data/pack.ts";
import type { Session } from "../runtime/devices/device.ts";
import { openCpu, openReference } from "./compiler/sessions.ts";
import { type Built, build, drawAll, gptConfig, llamaConfig } from "./compiler/support.ts";
import { assert, group } from "./harness.ts";
import { device, missing } from "./webgpu/run-segment.ts";

const pipeline = (adapter: string, packing: boolean, rows: number): string => `peft 1
base tiny = blank("base/", seed: 3)
adapter some = ${adapter}
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows {
  optimizer: sgd(learning_rate: 1e-2)  steps: 10  micro_batch_size: ${rows}  sequence_len: 24  packing: ${packing}
}`;

/** Examples of these lengths; every token but the first is a label. */
const examplesOf = (lengths: readonly number[], vocabulary: number): Examples => {
  const starts = Int32Array.from([0, ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b))]);
  const total = starts.at(-1)!;
  const labels = new Uint8Array(total).fill(1);
  for (const start of starts.subarray(0, -1)) labels[start] = 0;
  return {
    count: lengths.length,
    ids: Int32Array.from({ length: total }, (_, i) => (7 * i + (i >> 3)) % vocabulary),
    labels,
    starts,
    rows: Int32Array.from(lengths, (_, i) => i + 1),
  };
};

const gradientsOf = async (
  built: Built,
  session: Session,
  examples: Examples,
  planned: PlannedBatch,
): Promise<Map<string, Float32Array>> => {
  const { job } = built;
  await drawAll(job, (name, data) => session.write(name, Float32Array.from(data)), { nonzero: true });
  const batch = fillBatch(examples, planned, 24);
  for (const name of ["ids", "positions", "slots", "starts", "rows", "targets"] as const)
    if (batch[name]) await session.write(name, batch[name]);
  await session.write("scale", Float32Array.of(1 / batch.n));
  await session.run("train.0.step", { b: batch.b, t: batch.t, n: batch.n });
  const found = new Map<string, Float32Array>([["loss", (await session.read("loss", "train.0.step")) as Float32Array]]);
  for (const { name } of job.parameters.filter((parameter) => parameter.trained))
    found.set(name, (await session.read(`gradient(${name})`)) as Float32Array);
  return found;
};

type Open = (built: Built) => Promise<Session>;
const webgpu: Open = async (built) => {
  const { job, files } = emitSegments({ job: built.job, segments: built.segments });
  return (await device()).open(job, async (path) => {
    const file = files.get(path)!;
    return typeof file === "string" ? new TextEncoder().encode(file) : file;
  });
};

const lengths = [9, 24, 5, 11, 3, 8, 2];
const cases: readonly (readonly [string, string, object])[] = [
  ["lora on a llama", "lora(r: 2) into tiny.layers.**", llamaConfig],
  ["all of a gpt2", "tune() into tiny.**", gptConfig],
];

group("packing", (test) => {
  for (const [title, adapter, config] of cases)
    for (const [name, open, skip] of [
      ["the reference", openReference, undefined],
      ["the cpu", openCpu, undefined],
      ["webgpu", webgpu, missing],
    ] as const)
      test(
        `${title}: packed rows have the loss and gradients of their examples apart, on ${name}`,
        async () => {
          const examples = examplesOf(lengths, 11);
          const results: Map<string, Float32Array>[] = [];
          for (const packing of [true, false]) {
            const size = packing ? 3 : lengths.length;
            const built = await build(pipeline(adapter, packing, size), config);
            const plan = planEpoch(examples, { size, order: "shuffled", seed: 1, epoch: 0, packed: packing ? 24 : undefined });
            assert.is(plan.length, 1, "all in one batch");
            results.push(await gradientsOf(built, await open(built), examples, plan[0]!));
          }
          const [packed, apart] = results as [Map<string, Float32Array>, Map<string, Float32Array>];
          assert.ok(packed.size > 1);
          for (const [key, values] of packed) {
            const scale = Math.max(1e-2, ...apart.get(key)!.map(Math.abs));
            for (const [i, value] of values.entries())
              assert.ok(Math.abs(value - apart.get(key)![i]!) <= 3e-5 * scale, `${key}[${i}]: ${value} is not ${apart.get(key)![i]}`);
          }
        },
        { skip },
      );

  test("every example comes once an epoch, whole, in no more rows than best-fit promises", () => {
    const many = Array.from({ length: 500 }, (_, i) => 2 + ((i * 37) % 23));
    const examples = examplesOf(many, 11);
    for (const order of ["shuffled", "file"] as const) {
      const plan = planEpoch(examples, { size: 4, order, seed: 5, epoch: 2, packed: 24 });
      const seen = plan.flatMap((batch) => [...batch.examples]);
      assert.equal(
        [...seen].sort((a, b) => a - b),
        many.map((_, i) => i),
      );
      if (order === "file")
        assert.equal(
          seen,
          many.map((_, i) => i),
        );
      for (const planned of plan) {
        const { b, t, n, ids, slots, starts, positions, tokens } = fillBatch(examples, planned, 24);
        assert.ok(t <= 24 && b <= 4);
        assert.is(n, planned.labels);
        assert.is(
          tokens,
          planned.examples.reduce((sum, i) => sum + many[i]!, 0),
        );
        for (let i = 0; i < b * t; i++) {
          assert.is(slots![i], i % t);
          const padding = positions[i] === slots![i] && starts![i] === slots![i];
          assert.ok(padding || positions[i] === slots![i]! - starts![i]!, `slot ${i}: position ${positions[i]}`);
          assert.ok(starts![i]! <= slots![i]! && ids[i]! >= 0);
        }
      }
    }
    const least = Math.ceil(many.reduce((a, b) => a + b) / 24);
    const rows = packBest(
      Int32Array.from(many, (_, i) => i),
      (i) => many[i]!,
      24,
    );
    assert.ok(rows.length <= Math.ceil((11 / 9) * least) + 4, `${rows.length} rows, ${least} would be full`);
    assert.ok(
      packNext(
        Int32Array.from(many, (_, i) => i),
        (i) => many[i]!,
        24,
      ).length >= rows.length,
    );
    assert.ok(paddingOf(examples, planEpoch(examples, { size: 4, order: "shuffled", seed: 5, epoch: 0, packed: 24 }), 24) < 0.05);
  });

  const refused = async (text: string, config: object, code: string, library?: ReadonlyMap<string, string>): Promise<void> => {
    let message = "it compiles";
    await build(text, config, library).catch((error: Error) => {
      message = error.message;
    });
    assert.match(message, code);
  };
  test("virtual tokens in front of a row are refused", () =>
    refused(pipeline("prompt(tokens: 4) into tiny", true, 2), llamaConfig, "PEFT0360"));

  test("an architecture that does not tell examples apart is refused", async () => {
    const { std } = await import("../cli/embedded/std.ts");
    const blind = new Map([...std].map(([name, text]) => [name, text.replaceAll("sight(sequence, none)", "sequence.slots")]));
    assert.ok(
      [...blind].some(([name, text]) => text !== std.get(name)),
      "nothing was planted",
    );
    await refused(pipeline("lora(r: 2) into tiny.layers.**", true, 2), llamaConfig, "PEFT0361", blind);
  });
});
