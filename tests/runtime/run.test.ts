// Whole runs in a memory file system on the cpu device: the same bits twice, the same bits after being stopped and gone on
// with, and what is left on the disk when something goes wrong.

import { readFileSync } from "node:fs";
import { measuredLines } from "../../compiler/check/check-measured.ts";
import { cpuDevice } from "../../runtime/devices/cpu.ts";
import { DiagnosticError } from "../../runtime/diagnostic-error.ts";
import type { RunEvent } from "../../runtime/events.ts";
import { type Host, type PageFile, writeWhole } from "../../runtime/host.ts";
import { measureSizes } from "../../runtime/measure-sizes.ts";
import { memoryHost } from "../../runtime/memory-host.ts";
import { runJob } from "../../runtime/run.ts";
import type { Result } from "../../spec/result.ts";
import { bundle } from "../compiler/bundle.ts";
import { type Built, build, llamaConfig } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";
import { codes } from "./caught.ts";

const config = { ...llamaConfig, vocab_size: 384, num_hidden_layers: 2 };
const shape = new URL("../../examples/base/shape/", import.meta.url);

const pipeline = (rate: string, more = ""): string => `peft 1
base tiny = blank("base/", seed: 3)
adapter some = lora(r: 2, alpha: 4, dropout: 0.1) into tiny.layers.**
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows {
  optimizer: adamw(learning_rate: ${rate})
  epochs: 2  micro_batch_size: 2  gradient_accumulation_steps: 2  sequence_len: 24  seed: 5
  checkpoint: every 2 steps keep 2
}
evaluate some, tiny on rows.train { metrics: [loss, perplexity]  generate: greedy(max_new_tokens: 4)  micro_batch_size: 4  sequence_len: 24 }
merge some into "merged/"
${more}`;

const rows = Array.from(
  { length: 13 },
  (_, i) => `Ada gives ${"two big ".repeat(i % 4)}buns to Felix at the ${i % 2 ? "bridge" : "farm"}.`,
).join("\n");

const prepare = async (host: Host): Promise<void> => {
  const write = async (path: string, bytes: Uint8Array): Promise<void> => {
    const file = await host.create(path);
    await file.write(bytes);
    await file.commit();
  };
  await host.makeFolder("/work/base");
  await write("/work/rows.txt", new TextEncoder().encode(rows));
  await write("/work/base/config.json", new TextEncoder().encode(JSON.stringify(config)));
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) await write(`/work/base/${name}`, readFileSync(new URL(name, shape)));
};

interface Ran {
  readonly host: Host;
  readonly result: Result;
  readonly events: readonly RunEvent[];
}

const run = async (
  built: Built,
  host: Host,
  stopAt?: number,
  verbs: readonly ("train" | "evaluate" | "merge")[] = ["train", "evaluate", "merge"],
  { lanes, threads = 1 }: { readonly lanes?: number; readonly threads?: number } = {},
): Promise<Ran> => {
  const { job, read } = bundle(built, lanes);
  const events: RunEvent[] = [];
  const stop = new AbortController();
  const result = await runJob(job, {
    host,
    choice: { device: await cpuDevice({ threads }), why: "a test" },
    read,
    folder: "/work",
    out: "/work/out",
    verbs: new Set(verbs),
    inputs: {},
    versions: { peft: "0", node: "0", platform: "test", engine: "test" },
    listen: (event) => {
      events.push(event);
      if (event.kind === "step" && event.step === stopAt) stop.abort();
    },
    signal: stop.signal,
    peakMemory: () => 0,
  });
  return { host, result, events };
};

const fresh = async (): Promise<Host> => {
  const host = memoryHost();
  await prepare(host);
  return host;
};

const weights = (host: Host): Promise<Uint8Array> => host.read("/work/out/adapters/some/adapter_model.safetensors");

group("run", (test) => {
  test("the same run twice gives the same bits; stopped and gone on with, it gives them too", async () => {
    const built = await build(pipeline("1e-2"), config);
    const whole = await run(built, await fresh());
    const again = await run(built, await fresh());
    assert.equal(again.result.train[0]!.losses, whole.result.train[0]!.losses);
    assert.equal(await weights(again.host), await weights(whole.host));
    assert.is(whole.result.train[0]!.steps, 8);

    const host = await fresh();
    const first = await run(built, host, 3);
    assert.is(first.result.outcome, "interrupted");
    assert.is(await host.kind("/work/out/adapters/some/adapter_model.safetensors"), undefined);
    const second = await run(built, host, 6);
    assert.is(second.result.outcome, "interrupted");
    const third = await run(built, host);
    assert.is(third.result.outcome, "done");
    assert.equal(third.result.train[0]!.losses, whole.result.train[0]!.losses, "the whole curve, as if never stopped");
    assert.equal(await weights(host), await weights(whole.host), "and the same bits");
    assert.is(await host.kind("/work/out/state/some-0"), undefined, "state is gone once the adapter is saved");
  });

  test("in two lanes: what one gives, but for the order of sums; the same bits again, and when stopped and gone on with", async () => {
    const built = await build(pipeline("1e-2").replace(", dropout: 0.1", ""), config);
    const alone = await run(built, await fresh());
    const together = async (host: Host, stopAt?: number) => run(built, host, stopAt, undefined, { lanes: 2, threads: 2 });
    const whole = await together(await fresh());
    const { losses } = whole.result.train[0]!;
    losses.forEach((loss, i) => {
      assert.ok(Math.abs(loss / alone.result.train[0]!.losses[i]! - 1) < 1e-5, `step ${i}: ${loss}`);
    });
    whole.result.evaluate.forEach(({ metrics }, i) => {
      assert.ok(Math.abs(metrics.loss! / alone.result.evaluate[i]!.metrics.loss! - 1) < 1e-5);
    });
    const host = await fresh();
    assert.is((await together(host, 3)).result.outcome, "interrupted");
    const again = await together(host);
    assert.equal(again.result.train[0]!.losses, losses);
    assert.equal(await weights(host), await weights(whole.host));
  });

  test("what a method binds of a step: the same bits when stopped and when its state is paged, told in the result, and no mean of batches", async () => {
    const level = `method level(r: int) amends Linear {
  param a: [r, in] ~ normal(0.1)
  param b: [out, r] ~ zeros
  weight = base.weight + branch(b @ a, dropout(p: 0.1))
  let apart = a @ a.T - eye(r)
  loss += 0.1 / targets * sum(apart * apart, axes: [0, 1]) * (1 - step / total)
  b.grad = 0.5 * b.grad @ inverse(a @ a.T + 0.1 * eye(r))
  state slow: [r] = 1
  slow = 0.5 * slow + sum(abs(b * b.grad), axes: [0])
  b = if sum(everywhere(slow)[none, :] < slow[:, none], axes: [1]) < 2 then 0.5 * b else b
}
`;
    const text = pipeline("1e-2", level).replace("lora(r: 2, alpha: 4, dropout: 0.1)", "level(r: 2)");
    const built = await build(text, config);
    const whole = await run(built, await fresh());
    const { losses, added } = whole.result.train[0]!;
    assert.is(added!.length, losses.length);
    assert.ok(
      added!.every((one, i) => one > 0 && one < losses[i]!),
      "a part of each loss",
    );
    const host = await fresh();
    await run(built, host, 3);
    const gone = await run(built, host);
    assert.equal(gone.result.train[0]!.added, added, "the whole curve");
    assert.equal(await weights(host), await weights(whole.host), "stopped and gone on with");
    const paged = await run(await build(text.replace("checkpoint: every 2 steps keep 2", "state: paged"), config), await fresh());
    assert.equal(await weights(paged.host), await weights(whole.host), "paged");
  });

  test("what is observed is not observed again: stopped and gone on with, the same bits; loaded, it is evaluated as it was", async () => {
    const text = pipeline("1e-2", "").replace("lora(r: 2, alpha: 4, dropout: 0.1)", "eva(r: 2, alpha: 4, dropout: 0.1)");
    const built = await build(text.replace("seed: 5", "seed: 5  observe: 5 rows"), config);
    const whole = await run(built, await fresh());
    const told = whole.events.filter(
      (event) => event.kind === "progress" && event.title.startsWith("observe 5 rows of rows.train for some"),
    );
    assert.is(told.length, 3, "batches of 2, 2 and 1 rows, in one pass");
    const host = await fresh();
    await run(built, host, 3);
    const gone = await run(built, host);
    assert.is(gone.events.filter((event) => event.kind === "progress" && event.title.startsWith("observe")).length, 0);
    assert.equal(await weights(host), await weights(whole.host), "stopped and gone on with");
    const again = await run(built, whole.host, undefined, ["evaluate"]);
    const loss = ({ result }: Ran): unknown => result.evaluate.find(({ subject }) => subject === "some")!.metrics.loss;
    assert.equal(loss(again), loss(whole), "read back");
    assert.equal(again.result.train, [], "nothing was trained");
    const left = JSON.parse(new TextDecoder().decode(await whole.host.read("/work/out/result.json"))) as Result;
    assert.equal(left.train, JSON.parse(JSON.stringify(whole.result.train)), "the training's result stands after an evaluation");
    assert.equal(left.merge, JSON.parse(JSON.stringify(whole.result.merge)));
    assert.is(left.evaluate.length, whole.result.evaluate.length, "the same evaluations again are in place of the earlier ones");
    assert.is(left.adapters.some!.path, whole.result.adapters.some!.path);
  });

  test("sizes that were measured: a job without them is refused; stopped and gone on with, the same bits", async () => {
    const text = pipeline("1e-2")
      .replace("lora(r: 2, alpha: 4, dropout: 0.1)", "eva(r: 2, rho: 2, alpha: 4, dropout: 0.1)")
      .replace("seed: 5", "seed: 5  observe: 5 rows");
    const open = await build(text, config);
    await run(open, await fresh()).then(
      () => assert.unreachable("it was trained"),
      (error: unknown) => assert.match(String(error), "PEFT0378"),
    );
    const { job, read } = bundle(open);
    const choice = { device: await cpuDevice({ threads: 1 }), why: "a test" };
    const found = await measureSizes(job, { host: await fresh(), choice, read, folder: "/work", listen: () => {} });
    const sizes = found.get("some")!;
    assert.is(
      sizes.reduce((sum, { size }) => sum + size, 0),
      2 * sizes.length,
    );
    const built = await build(text, config, undefined, measuredLines("some", sizes, open.compiled.checked!.measuredFrom));
    const whole = await run(built, await fresh());
    const host = await fresh();
    await run(built, host, 3);
    const gone = await run(built, host);
    assert.is(gone.events.filter((event) => event.kind === "progress" && event.title.startsWith("observe")).length, 0);
    assert.equal(await weights(host), await weights(whole.host));
  });

  test("what is kept of a training: evaluated meanwhile and afterwards as it was trained, the same bits when stopped, and read back without what made it", async () => {
    const text = pipeline("1e-2")
      .replace("lora(r: 2, alpha: 4, dropout: 0.1) into tiny.layers.**", "p_tuning(tokens: 3, inner: 6) into tiny")
      .replace('merge some into "merged/"', "");
    const built = await build(text, config);
    const whole = await run(built, await fresh());
    const loss = ({ result }: Ran): number => result.evaluate.find(({ subject }) => subject === "some")!.metrics.loss!;
    const host = await fresh();
    await run(built, host, 3);
    const gone = await run(built, host);
    assert.equal(await weights(host), await weights(whole.host), "stopped and gone on with");
    assert.is(loss(gone), loss(whole));
    const again = await run(built, whole.host, undefined, ["evaluate"]);
    assert.is(loss(again), loss(whole), "read back");
    const { tensors } = built.job.adapters[0]!.files;
    assert.equal(
      tensors.map(({ key }) => key),
      ["prompt_embeddings"],
    );

    const watched = text
      .replace("seed: 5", "seed: 5  evaluate: every 3 steps  keep_best: loss")
      .replace("data rows {", 'data rows { eval = text("rows.txt")');
    const best = await run(await build(watched, config), await fresh());
    const { evaluations, best: chosen } = best.result.train[0]!;
    assert.ok(new Set(evaluations!.map((one) => one.loss)).size === evaluations!.length, "each evaluation sees what was trained by then");
    assert.ok(Math.abs(loss(best) - chosen!.loss) < 1e-6, "the best is what is saved");
  });

  test("what rebinds computed values: the same bits when stopped and gone on with", async () => {
    const adapters =
      "{ prompt(tokens: 2) into tiny  prefix(tokens: 3) into tiny  bottleneck(reduction: 4) into tiny.layers.*  compacter(reduction: 2, n: 2) into tiny.layers.1..1 }";
    const text = pipeline("1e-2")
      .replace("= lora(r: 2, alpha: 4, dropout: 0.1) into tiny.layers.**", adapters)
      .replace('merge some into "merged/"', "");
    const built = await build(text, config);
    const whole = await run(built, await fresh());
    const host = await fresh();
    await run(built, host, 3);
    const gone = await run(built, host);
    assert.equal(gone.result.train[0]!.losses, whole.result.train[0]!.losses);
    assert.equal(await weights(host), await weights(whole.host));
  });

  test("optimizer state in 8 bits: the same bits when stopped and gone on with, and when it is paged", async () => {
    // Sixteen blocks of 2 fit into r 2 times the width, not into r 2 times the keys.
    const stored = pipeline("1e-2) store m as signed8(block: 2) store v as unsigned8(block: 2");
    const built = await build(stored, config);
    const { state } = built.job.train[0]!;
    assert.ok(state.some(({ value }) => value.endsWith(".m.code")) && state.some(({ value }) => value === "some.m"), "some of it in f32");
    const whole = await run(built, await fresh());
    for (const [what, same] of [
      ["stopped", built],
      ["paged", await build(stored.replace("epochs: 2", "state: paged  epochs: 2"), config)],
    ] as const) {
      const host = await fresh();
      assert.is((await run(same, host, 3)).result.outcome, "interrupted");
      const { result } = await run(same, host);
      assert.equal(result.train[0]!.losses, whole.result.train[0]!.losses, `${what}: the whole curve`);
      assert.equal(await weights(host), await weights(whole.host), `${what}: the same bits`);
    }
  });

  test("training learns, the adapter alone differs from the base, and the merged folder is the adapter's model", async () => {
    const built = await build(pipeline("1e-2"), config);
    const { host, result } = await run(built, await fresh());
    const loss = (subject: string): number => result.evaluate.find((item) => item.subject === subject)!.metrics.loss!;
    assert.ok(loss("some") < loss("tiny") - 0.05, `${loss("some")} against ${loss("tiny")}`);
    assert.ok(result.evaluate.every((item) => item.samples!.length === 3));
    const names = (await host.list("/work/out/merged")).map((entry) => entry.name);
    assert.equal(names, ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);

    // The merged folder is a checkpoint: the base of another run, whose loss is the adapter's.
    const later = pipeline("1e-2").replace('blank("base/", seed: 3)', 'blank("out/merged/", seed: 3)');
    const { openCheckpoint } = await import("../../runtime/checkpoint.ts");
    const checkpoint = await openCheckpoint(host, "/work/out/merged");
    const again = await build(later.replace("out/merged/", "base/"), config);
    const job = {
      ...again.job,
      base: { ...again.job.base, weights: "checkpoint" as const, path: "out/merged" },
      parameters: again.job.parameters.map((parameter) =>
        parameter.source.kind === "draw" && parameter.source.tensor !== undefined
          ? { ...parameter, source: { kind: "checkpoint" as const, tensor: parameter.source.tensor, transposed: false } }
          : parameter,
      ),
    };
    await checkpoint.close();
    const merged = await run({ ...again, job }, host, undefined, ["evaluate"]);
    const of = (subject: string): number => merged.result.evaluate.find((item) => item.subject === subject)!.metrics.loss!;
    assert.ok(Math.abs(of("tiny") - loss("some")) < 1e-5 * loss("some"), `${of("tiny")} is not ${loss("some")}`);
  });

  test("a loss that is not a number stops the run with a diagnostic, and no adapter is written", async () => {
    const built = await build(pipeline("1e30"), config);
    const host = await fresh();
    try {
      await run(built, host);
      assert.unreachable("it went on");
    } catch (error) {
      assert.ok(error instanceof DiagnosticError, String(error));
      assert.is(error.diagnostics[0]!.code, "PEFT0700");
      assert.match(error.diagnostics[0]!.help!, /learning rate/);
    }
    assert.is(await host.kind("/work/out/adapters"), undefined);
  });

  test("pages of state are closed, and their folder is gone, when the training fails", async () => {
    const built = await build(pipeline("1e30").replace("  checkpoint:", "  state: paged  checkpoint:"), config);
    const host = await fresh();
    let [opened, closed] = [0, 0];
    const pages = async (path: string, size: number): Promise<PageFile> => {
      opened++;
      const bytes = new Uint8Array(size);
      await writeWhole(host, path, bytes);
      return {
        read: async (position, into) => into.set(bytes.subarray(position, position + into.length)),
        write: async (position, from) => bytes.set(from, position),
        close: async () => void closed++,
      };
    };
    const found = await codes(() => run(built, { ...host, pages }));
    assert.equal(found, ["PEFT0700"]);
    assert.ok(opened > 0);
    assert.is(closed, opened);
    assert.equal(
      (await host.list("/work/out/state")).filter(({ name }) => name.endsWith(".pages")),
      [],
    );
  });
});
