// Several adapters over one base in whole runs: each trained in turn, one standing on another, a bank of which each row takes its own;
// what is saved, and what a later command finds again. In a memory file system, on the cpu device.

import { readFileSync } from "node:fs";
import { cpuDevice } from "../../runtime/devices/cpu.ts";
import { DiagnosticError } from "../../runtime/diagnostic-error.ts";
import type { Host } from "../../runtime/host.ts";
import { memoryHost } from "../../runtime/memory-host.ts";
import { runJob } from "../../runtime/run.ts";
import type { Job } from "../../spec/job.ts";
import type { Result } from "../../spec/result.ts";
import { bundle } from "../compiler/bundle.ts";
import { type Built, build, llamaConfig } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";

const config = { ...llamaConfig, vocab_size: 384, num_hidden_layers: 2 };
const shape = new URL("../../examples/base/shape/", import.meta.url);

const tasks = ["buns", "bridge", "bell"];
const rows = Array.from({ length: 12 }, (_, i) =>
  JSON.stringify({ text: `Ada ${"and Ben ".repeat(i % 3)}${tasks[i % 3]}.`, task: ["a", "b", "c"][i % 3] }),
).join("\n");

const freshHost = async (): Promise<Host> => {
  const host = memoryHost();
  const write = async (path: string, bytes: Uint8Array): Promise<void> => {
    const file = await host.create(path);
    await file.write(bytes);
    await file.commit();
  };
  await host.makeFolder("/here/base");
  await write("/here/rows.jsonl", new TextEncoder().encode(rows));
  await write("/here/base/config.json", new TextEncoder().encode(JSON.stringify(config)));
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) await write(`/here/base/${name}`, readFileSync(new URL(name, shape)));
  return host;
};

type Verb = "train" | "evaluate" | "merge";

const run = async (built: Built, host: Host, verbs: readonly Verb[], choose: (job: Job) => Job = (job) => job): Promise<Result> => {
  const { job, read } = bundle(built);
  return runJob(choose(job), {
    host,
    choice: { device: await cpuDevice({ threads: 1 }), why: "a test" },
    read,
    folder: "/here",
    out: "/here/out",
    verbs: new Set(verbs),
    inputs: {},
    versions: { peft: "0", node: "0", platform: "test", engine: "test" },
    listen: () => {},
    peakMemory: () => 0,
  });
};

const losses = ({ evaluate }: Result): Record<string, number> =>
  Object.fromEntries(evaluate.map(({ subject, metrics }) => [subject, metrics.loss!]));

const block = (subject: string, data: string): string =>
  `train ${subject} on ${data} { optimizer: adamw(learning_rate: 3e-2)  steps: 12  micro_batch_size: 3  sequence_len: 32  seed: 5 }\n`;
const evaluating = (subjects: string, data: string): string =>
  `evaluate ${subjects} on ${data} { metrics: [loss]  generate: greedy(max_new_tokens: 3)  samples: 3  micro_batch_size: 4  sequence_len: 32 }\n`;

const head = `peft 1
base tiny = blank("base/", seed: 3)
data rows { train = jsonl("rows.jsonl")  answer = "{text}" }
data mixed { train = jsonl("rows.jsonl")  answer = "{text}"  adapter = "{task}" }
`;

const adapters = "abc"
  .split("")
  .map((name) => `adapter ${name} = lora(r: 2, alpha: 4) into tiny.layers.**\n`)
  .join("");

const only =
  (...names: string[]) =>
  (job: Job): Job => ({
    ...job,
    train: job.train.filter(({ adapter }) => names.includes(adapter)),
    evaluate: job.evaluate.filter(({ subject }) => names.includes(subject)),
  });

const bytes = async (host: Host, path: string): Promise<Uint8Array> => {
  const file = await host.open(path);
  const all = new Uint8Array(file.size);
  await file.read(0, all);
  await file.close();
  return all;
};

group("many adapters", (test) => {
  test("a bank is trained in one pass, saved adapter by adapter, and found again by each and by all", async () => {
    const built = await build(
      `${head}${adapters}adapter team = mix(a, b, c)\n${block("team", "mixed")}${evaluating("team", "mixed.train")}${evaluating("a, b, c", "rows.train")}`,
      config,
    );
    const host = await freshHost();
    const untrained = losses(
      await run(built, host, ["evaluate"], (job) => ({ ...job, adapters: job.adapters.map((one) => ({ ...one, trainedBy: [] })) })),
    );
    const first = await run(built, host, ["train", "evaluate"]);
    const after = losses(first);
    assert.ok(after.team! < untrained.team! - 0.05, `nothing was learned: ${untrained.team} to ${after.team}`);
    assert.is(first.train.length, 1);
    assert.equal(
      Object.keys(first.adapters).filter((name) => first.adapters[name]!.path),
      ["a", "b", "c"],
    );
    const kept = await Promise.all(["a", "b", "c"].map((name) => bytes(host, `/here/out/adapters/${name}/adapter_model.safetensors`)));
    assert.is(new Set(kept.map((one) => one.join())).size, 3, "two adapters are equal");
    assert.equal(losses(await run(built, host, ["evaluate"])), after, "what was saved is what was evaluated");
    // Alone, an adapter is the better for the rows that were its own.
    const own = await build(
      `${head.replaceAll('jsonl("rows.jsonl")', 'jsonl("rows.jsonl", rows: 1)')}${adapters}adapter team = mix(a, b, c)\n${block("team", "mixed")}${evaluating("a, b", "rows.train")}`,
      config,
    );
    const one = losses(await run(own, host, ["evaluate"]));
    assert.ok(one.a! < one.b!, `the first row is a's: ${one.a} with it, ${one.b} with another`);
  });

  test("training with a bank is training each adapter on its own rows", async () => {
    const names = ["a", "b", "c"];
    // Every adapter has the same texts, so each has a third of the mean's tokens: a step of a third alone is the bank's step.
    const text = (data: string, subject: string, rate: number, size: number): string =>
      `${head.replaceAll("rows.jsonl", data)}${adapters}adapter team = mix(a, b, c)
train ${subject} on ${subject === "team" ? "mixed" : "rows"} { optimizer: sgd(learning_rate: ${rate})  steps: 1  micro_batch_size: ${size}  sequence_len: 32  shuffle: false }\n`;
    const host = await freshHost();
    const write = async (path: string, of: readonly string[]): Promise<void> => {
      const file = await host.create(path);
      await file.write(
        new TextEncoder().encode(tasks.flatMap((word) => of.map((task) => JSON.stringify({ text: `Ada and ${word}.`, task }))).join("\n")),
      );
      await file.commit();
    };
    await write("/here/all.jsonl", names);
    await write("/here/one.jsonl", ["b"]);
    const weights = async (): Promise<Float32Array> =>
      new Float32Array((await bytes(host, "/here/out/adapters/b/adapter_model.safetensors")).slice(-4096).buffer);
    await run(await build(text("all.jsonl", "team", 30, 9), config), host, ["train"]);
    const bank = await weights();
    await run(await build(text("one.jsonl", "b", 10, 3), config), host, ["train"]);
    const alone = await weights();
    const far = Math.max(...alone.map((value, i) => Math.abs(value - bank[i]!)));
    assert.ok(far < 1e-5, `${far} apart`);
    await run(await build(text("one.jsonl", "b", 20, 3), config), host, ["train"]);
    const more = await weights();
    assert.ok(Math.max(...more.map((value, i) => Math.abs(value - bank[i]!))) > 1e-3, "nothing moved");
  });

  test("an adapter that stands on another is trained after it, saved alone, and needs it", async () => {
    const text = `${head}adapter a = lora(r: 2) into tiny.layers.**\nadapter d = lora(r: 2) into a.layers.*.mlp.**\n${block("d", "rows")}${block("a", "rows")}${evaluating("a, d", "rows.train")}merge d into "d/"\n`;
    const built = await build(text, config);
    const host = await freshHost();
    const result = await run(built, host, ["train", "evaluate", "merge"]);
    assert.equal(
      result.train.map(({ adapter }) => adapter),
      ["a", "d"],
    );
    const { a, d } = losses(result) as { a: number; d: number };
    assert.ok(d < a, `${d} is not below ${a}`);
    assert.ok(result.adapters.d!.bytes! < result.adapters.a!.bytes!);
    assert.ok(result.merge[0]!.rounding < 1e-6);
    // Later, alone: what it stands on is found again.
    assert.is(losses(await run(built, host, ["evaluate"], only("d"))).d, d);
    const again = await run(built, host, ["train"], only("d"));
    assert.equal(again.train[0]!.losses, result.train[1]!.losses, "it is trained on the a that was saved");
    await host.remove("/here/out/adapters/a");
    try {
      await run(built, host, ["evaluate"], only("d"));
      assert.unreachable("it was evaluated without what it stands on");
    } catch (error) {
      assert.instance(error, DiagnosticError);
    }
  });

  test("an adapter that is loaded is trained further from what it was, and its folder stays", async () => {
    const host = await freshHost();
    await run(await build(`${head}adapter a = lora(r: 2) into tiny.layers.**\n${block("a", "rows")}`, config), host, ["train"]);
    const saved = await bytes(host, "/here/out/adapters/a/adapter_model.safetensors");
    const text = `${head}adapter a = lora(r: 2) into tiny.layers.**\n${block("a", "rows")}${evaluating("a", "rows.train")}`;
    const built = await build(text, config);
    const loaded: Built = {
      ...built,
      job: { ...built.job, adapters: built.job.adapters.map((one) => ({ ...one, name: one.name, from: "out/adapters/a" })) },
    };
    // The job of a file that loads it: the same program, beginning from the folder; results elsewhere.
    const first = await run(
      { ...loaded, job: { ...loaded.job, adapters: loaded.job.adapters.map((one) => ({ ...one, trainedBy: [] })) } },
      host,
      ["evaluate"],
    );
    const again = await run(loaded, host, ["train", "evaluate"], (job) => ({ ...job, name: "again" }));
    assert.ok(losses(again).a! < losses(first).a! - 0.02, `${losses(first).a} to ${losses(again).a}`);
    assert.is.not((await bytes(host, "/here/out/adapters/a/adapter_model.safetensors")).join(), saved.join());
  });

  test("a row that asks for an adapter that the mix does not hold stops everything, with its number", async () => {
    const text = `${head.replace('"{task}"', '"{text}"')}${adapters}adapter team = mix(a, b, c)\n${evaluating("team", "mixed.train")}`;
    try {
      await run(await build(text, config), await freshHost(), ["evaluate"]);
      assert.unreachable("it was evaluated");
    } catch (error) {
      assert.instance(error, DiagnosticError);
      const [found] = (error as DiagnosticError).diagnostics;
      assert.is(found!.code, "PEFT0460");
      assert.match(found!.message, "row 1 of mixed.train");
    }
  });
});
