// Evaluation while an adapter trains: what is found is what `evaluate` finds, the best parameters are the ones kept, training stops when
// nothing is gained, and a run that was stopped in between is the run that was not, bit for bit.

import { readFileSync } from "node:fs";
import { renderResult } from "../../cli/render/result.ts";
import { cpuDevice } from "../../runtime/devices/cpu.ts";
import type { Host } from "../../runtime/host.ts";
import { memoryHost } from "../../runtime/memory-host.ts";
import { runJob } from "../../runtime/run.ts";
import type { Result } from "../../spec/result.ts";
import { bundle } from "../compiler/bundle.ts";
import { type Built, build, llamaConfig } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";

const config = { ...llamaConfig, vocab_size: 384, num_hidden_layers: 1 };
const shape = new URL("../../examples/base/shape/", import.meta.url);

const pipeline = (settings: string, rate = "3e-2"): string => `peft 1
base tiny = blank("base/", seed: 3)
adapter some = lora(r: 2, alpha: 4) into tiny.layers.**
data rows { train = text("rows.txt")  eval = text("held.txt")  answer = "{text}" }
train some on rows {
  optimizer: adamw(learning_rate: ${rate})
  steps: 12  micro_batch_size: 2  sequence_len: 24  seed: 5
  ${settings}
}
evaluate some on rows { metrics: [loss, token_accuracy]  micro_batch_size: 2  sequence_len: 24 }
`;

const lines = (count: number, from: number): string =>
  Array.from({ length: count }, (_, i) => `Ada gives ${i + from} buns to Felix at the ${i % 2 ? "bridge" : "farm"}.`).join("\n");

const fresh = async (held = lines(5, 40)): Promise<Host> => {
  const host = memoryHost();
  const write = async (path: string, bytes: Uint8Array): Promise<void> => {
    const file = await host.create(path);
    await file.write(bytes);
    await file.commit();
  };
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  await host.makeFolder("/work/base");
  await write("/work/rows.txt", text(lines(9, 1)));
  await write("/work/held.txt", text(held));
  await write("/work/base/config.json", text(JSON.stringify(config)));
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) await write(`/work/base/${name}`, readFileSync(new URL(name, shape)));
  return host;
};

const run = async (built: Built, host: Host, stopAt?: number): Promise<Result> => {
  const { job, read } = bundle(built);
  const controller = new AbortController();
  return runJob(job, {
    host,
    choice: { device: await cpuDevice({ threads: 1 }), why: "asked for" },
    read,
    folder: "/work",
    out: "/work/out",
    verbs: new Set(["train", "evaluate"]),
    inputs: {},
    versions: { peft: "0", node: "0", platform: "0", engine: "0" },
    listen: (event) => {
      if (event.kind === "step" && event.step === stopAt) controller.abort();
    },
    signal: controller.signal,
    peakMemory: () => 0,
  });
};

const adapterBytes = async (host: Host): Promise<string> =>
  Buffer.from(await host.read("/work/out/adapters/some/adapter_model.safetensors")).toString("base64");

group("watched training", (test) => {
  test("evaluations meanwhile find what `evaluate` finds, and change nothing of the training", async () => {
    const plain = await run(await build(pipeline(""), config), await fresh());
    const watched = await run(await build(pipeline("evaluate: every 5 steps"), config), await fresh());
    assert.equal(watched.train[0]!.losses, plain.train[0]!.losses);
    const found = watched.train[0]!.evaluations!;
    assert.equal(
      found.map(({ step }) => step),
      [5, 10, 12],
    );
    // The last is after the last step: rounded to f32, it is what the block finds.
    assert.is(found.at(-1)!.loss, Math.fround(watched.evaluate[0]!.metrics.loss!));
    assert.is(found.at(-1)!.token_accuracy, Math.fround(watched.evaluate[0]!.metrics.token_accuracy!));
  });

  test("the best is kept, and training stops when nothing is gained", async () => {
    // Held-out rows unlike the rows of the training: what is learnt makes them less likely.
    const built = await build(pipeline("evaluate: every 1 steps  keep_best: loss  patience: 2", "0.3"), config);
    const result = await run(built, await fresh("7071 ~ ?! 9 3\n|| 66 %% 81 ;;"));
    const [train] = result.train;
    const found = train!.evaluations!;
    const least = Math.min(...found.map(({ loss }) => loss));
    assert.is(train!.best!.loss, least);
    assert.is(Math.fround(result.evaluate[0]!.metrics.loss!), least, "the adapter that is saved is the best one");
    assert.ok(train!.stoppedEarly, `it stopped early: ${found.map(({ loss }) => loss.toFixed(3))}`);
    assert.is(train!.steps, train!.best!.step + 2, "two evaluations after the best");
    assert.is(result.outcome, "done");
  });

  test("stopped and resumed is uninterrupted, bit for bit, the best from before the stop included", async () => {
    const built = await build(pipeline("evaluate: every 2 steps  keep_best: loss  checkpoint: every 3 steps", "0.1"), config);
    const [whole, parted] = [await fresh(), await fresh()];
    const all = await run(built, whole);
    const first = await run(built, parted, 7);
    assert.is(first.outcome, "interrupted");
    const second = await run(built, parted);
    assert.equal(second.train[0]!.evaluations, all.train[0]!.evaluations);
    assert.equal(second.train[0]!.best, all.train[0]!.best);
    assert.equal(await adapterBytes(parted), await adapterBytes(whole));
  });

  test("a run stopped between two evaluations counts on towards its patience, and keeps the best from before the stop", async () => {
    const built = await build(pipeline("evaluate: every 1 steps  keep_best: loss  patience: 3  checkpoint: every 1 steps", "0.3"), config);
    const odd = "7071 ~ ?! 9 3\n|| 66 %% 81 ;;";
    const [whole, parted] = [await fresh(odd), await fresh(odd)];
    const all = await run(built, whole);
    const best = all.train[0]!.best!.step;
    assert.ok(all.train[0]!.stoppedEarly && best + 3 < 12, `uninterrupted it stops early, after step ${all.train[0]!.steps}`);
    const first = await run(built, parted, best + 1);
    assert.is(first.outcome, "interrupted");
    assert.is(first.train[0]!.steps, best + 1, "two evaluations of the three are still to come");
    const second = await run(built, parted);
    assert.is(second.train[0]!.steps, all.train[0]!.steps);
    assert.ok(second.train[0]!.stoppedEarly);
    assert.equal(second.train[0]!.best, all.train[0]!.best);
    assert.equal(await adapterBytes(parted), await adapterBytes(whole));
    const told = renderResult(second, "result.json", false);
    assert.match(told, new RegExp(`some: stopped early after step ${best + 3}, .*step ${best} was the best, .*its parameters are saved`));
    assert.match(renderResult(first, "result.json", false), new RegExp(`some: step ${best} was the best, .* so far`));
  });

  test("its memory is in the plan, and what it needs is said", async () => {
    const [plain, watched] = [await build(pipeline(""), config), await build(pipeline("evaluate: every 5 steps  keep_best: loss"), config)];
    assert.ok(watched.job.programs["train.0.evaluate"]!.peak > 0);
    assert.ok(watched.job.plan["train some"]! >= watched.job.programs["train.0.evaluate"]!.peak + watched.job.plan["some.optimizer"]!);
    assert.is(watched.job.plan["some.best"], watched.job.arenas["some.parameters"]);
    assert.is(plain.job.plan["some.best"], undefined);
    assert.ok(watched.job.plan["some.evaluation"]! > watched.job.programs["train.0.evaluate"]!.peak);
    assert.ok(watched.job.plan["train some"]! >= watched.job.plan["some.evaluation"]!);
    assert.is(plain.job.plan["some.evaluation"], undefined);
    for (const [text, code] of [
      [pipeline("keep_best: loss"), /PEFT0526/],
      [pipeline("patience: 2"), /PEFT0526/],
      [
        pipeline("evaluate: every 5 steps")
          .replace('eval = text("held.txt")  ', "")
          .replace(/^evaluate some.*$/m, ""),
        /PEFT0525/,
      ],
    ] as const)
      try {
        await build(text, config);
        assert.unreachable(`nothing said of ${text}`);
      } catch (error) {
        assert.match((error as Error).message, code);
      }
  });
});
