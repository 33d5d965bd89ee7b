// A memory budget is kept by computing activations again and by paging optimizer state, and neither changes a bit of what is trained.

import { memoryHost as filesInMemory } from "../../runtime/memory-host.ts";
import { openPaged } from "../../runtime/paged.ts";
import { openCpu, openReference } from "../compiler/sessions.ts";
import { type Built, build, drawAll, llamaConfig, randomBatch } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";

const pipeline = (settings: string, budget: string): string => `peft 1
base tiny = blank("base/", seed: 3)
adapter some = lora(r: 8, alpha: 8, dropout: 0.1) into tiny.layers.**
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows { optimizer: adamw(learning_rate: 1e-2)  steps: 10  micro_batch_size: 2  sequence_len: 16  ${settings} }
${budget && `require { memory(train some) <= ${budget} }`}`;

const config = { ...llamaConfig, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 5 };

/** Parameters after a few steps, as the training loop makes them. */
const trained = async (built: Built, on: "cpu" | "reference"): Promise<Float32Array> => {
  const { job } = built;
  const session = on === "cpu" ? await openCpu(built) : await openReference(built);
  const train = job.train[0]!;
  await drawAll(job, (name, data) => session.write(name, data), { nonzero: true });
  const paged = await openPaged(job, train, session, filesInMemory(), "/state");
  for (let step = 0; step < 2; step++) {
    const batch = randomBatch(2, 16, job.base.vocab_size, step + 1);
    for (const name of ["ids", "positions", "rows", "targets"] as const) await session.write(name, batch[name]);
    await session.write("scale", Float32Array.of(1 / batch.n));
    await session.write(
      "seeds",
      Int32Array.from({ length: 64 * train.seeds }, (_, i) => 977 * step + i),
    );
    await session.run(train.step, { b: batch.b, t: batch.t, n: batch.n });
    await session.write(
      "some.scalars",
      Float32Array.from(train.scalars, (_, i) => 0.01 * (i + 1)),
    );
    await session.run(train.norm, {});
    await paged.update();
  }
  const result = (await session.read("some.parameters")) as Float32Array;
  await paged.close();
  await session.close();
  return result;
};

const peakOf = ({ job }: Built): number => job.plan["train some"]!;

group("budget", (test) => {
  test("what a budget saves, and what it says when nothing fits", async () => {
    const free = await build(pipeline("", ""), config);
    assert.is(free.job.train[0]!.recompute, undefined);
    assert.is(free.job.train[0]!.pages, undefined);
    const state = free.job.plan["some.optimizer"]!;
    const paged = await build(pipeline("", `${Math.ceil(peakOf(free) - state / 2)}`), config);
    assert.ok(paged.compiled.job!.train[0]!.pages, "state goes first");
    assert.is(paged.compiled.job!.train[0]!.recompute, undefined);
    const tight = Math.ceil(peakOf(free) - state - 60_000);
    const both = await build(pipeline("", `${tight}`), config);
    const kept = both.compiled.job!;
    assert.ok(kept.train[0]!.recompute! >= 1 && kept.train[0]!.recompute! < 5, `layers computed again: ${kept.train[0]!.recompute}`);
    assert.ok(kept.plan["train some"]! <= tight);
    let said = "";
    await build(pipeline("", "1000"), config).catch((error: Error) => {
      said = error.message;
    });
    assert.match(said, /PEFT0324 memory\(train some\) is [\d.]+/);
  });

  for (const on of ["cpu"] as const)
    test(`activations computed again and paged state change no bit (${on})`, async () => {
      const free = await build(pipeline("", ""), config);
      const expected = await trained(free, on);
      const declared = await build(pipeline("state: paged", ""), config);
      assert.ok(declared.job.train[0]!.pages!.length > 3);
      assert.equal(await trained(declared, on), expected, "declared pages");
      const tight = Math.ceil(peakOf(free) - free.job.plan["some.optimizer"]! - 60_000);
      const { compiled, segments } = await build(pipeline("", `${tight}`), config);
      const { fit } = await import("../../compiler/programs/fit.ts");
      void segments;
      const host = (await import("../compiler/support.ts")).memoryHost({ "main.peft": "", "base/config.json": JSON.stringify(config) });
      const kept = fit(compiled.checked!, { job: free.job, segments: free.segments }, host);
      assert.ok(kept.job.train[0]!.recompute! > 0 && kept.job.train[0]!.pages);
      assert.equal(await trained({ compiled, job: kept.job, segments: kept.segments }, on), expected, "under a budget");
    });
});
