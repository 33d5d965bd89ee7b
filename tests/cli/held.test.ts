// A job with a budget runs in a process that is held to the plan: the limit is set, the C library is told to give memory back, training
// gives the same bits, and a limit that is reached is a diagnostic.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { canHold, dataLimit, isStarved, runHeld, whyUnheld } from "../../cli/held.ts";
import { compile } from "../../compiler/compile.ts";
import type { Job } from "../../spec/job.ts";
import type { Result } from "../../spec/result.ts";
import { llamaConfig, memoryHost } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";

const mib = 2 ** 20;
const bin = fileURLToPath(new URL("../../dist/peft.cjs", import.meta.url));
const tokenizer = fileURLToPath(new URL("../../examples/base/shape/", import.meta.url));

const pipeline = (settings: string, budget: string): string => `peft 1
base tiny = blank("base/", seed: 3)
adapter some = lora(r: 2) into tiny.layers.**
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows { optimizer: adamw(learning_rate: 1e-2)  steps: 3  ${settings} }
${budget && `require { memory(train some) <= ${budget} }`}
`;

const small = "micro_batch_size: 2  sequence_len: 16";

const inFolder = async (body: (folder: string) => unknown): Promise<void> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-held-`);
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Trains a pipeline as a person would; `limit`: of the data of whatever runs it, in KiB. */
const train = (folder: string, name: string, text: string, limit?: number, verb = "train") => {
  mkdirSync(`${folder}/base`, { recursive: true });
  writeFileSync(`${folder}/base/config.json`, JSON.stringify({ ...llamaConfig, vocab_size: 384, max_position_embeddings: 512 }));
  for (const file of ["tokenizer.json", "tokenizer_config.json"])
    writeFileSync(`${folder}/base/${file}`, readFileSync(`${tokenizer}${file}`));
  writeFileSync(`${folder}/rows.txt`, `${"Ada gives a bun to Felix.\n".repeat(64)}`);
  writeFileSync(`${folder}/${name}.peft`, text);
  const command = [process.execPath, bin, verb, `${name}.peft`, "-o", name, "--device", "cpu"];
  const [program, ...args] = limit === undefined ? command : ["/bin/sh", "-c", 'ulimit -d "$0" && exec "$@"', String(limit), ...command];
  return spawnSync(program!, args, { cwd: folder, encoding: "utf8" });
};

const planned = async (budget: string): Promise<Job> => {
  const { job } = await compile(
    { file: "main.peft", goal: "plan" },
    memoryHost({ "main.peft": pipeline(small, budget), "base/config.json": JSON.stringify(llamaConfig) }),
  );
  return job!;
};

const losses = (folder: string, name: string): readonly number[] =>
  (JSON.parse(readFileSync(`${folder}/${name}/result.json`, "utf8")) as Result).train[0]!.losses;

group("held to a budget", (test) => {
  test("the limit is the plan and what does not grow with it", async () => {
    const job = await planned("1 GiB");
    assert.is(job.train[0]!.budget, 2 ** 30);
    assert.is(canHold(job), process.platform === "linux");
    assert.not(canHold(await planned("")));
    const wide = { ...job, plan: { ...job.plan, cpu: 100 * mib } };
    const wider = { ...job, plan: { ...job.plan, cpu: 300 * mib } };
    const lanes = Math.min(job.lanes ?? 1, 2);
    assert.is(dataLimit(wider, 2) - dataLimit(wide, 2), lanes * 200 * mib);
    assert.ok(dataLimit(wide, 2) > 356 * mib);
  });

  if (process.platform !== "linux") {
    console.log("held to a budget: processes are limited under Linux alone");
    return;
  }

  test("a process is limited, told to give memory back, and ends with its own exit code", () =>
    inFolder(async (folder) => {
      const say = 'ulimit -d > "$0"; echo "$MALLOC_TRIM_THRESHOLD_" >> "$0"; exit 7';
      assert.equal(await runHeld(["/bin/sh", "-c", say, `${folder}/said`], 500 * mib), { code: 7 });
      assert.is(readFileSync(`${folder}/said`, "utf8"), "512000\n131072\n");
    }));

  test("what ends a process without memory is known by its signal; what is thrown, by what it says", async () => {
    assert.equal((await runHeld(["/bin/sh", "-c", "kill -ABRT $$"], 500 * mib)).starved, "SIGABRT");
    assert.is((await runHeld(["/bin/sh", "-c", "kill -TERM $$"], 500 * mib)).starved, undefined);
    let thrown: unknown;
    try {
      new ArrayBuffer(Number.MAX_SAFE_INTEGER);
    } catch (error) {
      thrown = error;
    }
    assert.ok(isStarved(thrown), String(thrown));
    assert.not(isStarved(new Error("the job has no value x")));
  });

  test("held, training gives the same bits", () =>
    inFolder((folder) => {
      for (const [name, budget] of [
        ["free", ""],
        ["held", "1 GiB"],
      ] as const) {
        const { status, stderr } = train(folder, name, pipeline(small, budget));
        assert.is(status, 0, stderr);
      }
      assert.equal(losses(folder, "held"), losses(folder, "free"));
    }));

  test("a limit that is reached is a diagnostic", () =>
    inFolder((folder) => {
      // Some 4 GiB of activations.
      const { status, stderr } = train(folder, "wide", pipeline("micro_batch_size: 512  sequence_len: 512", ""), 1_500_000);
      assert.is(status, 1, stderr);
      assert.match(stderr, /error\[PEFT0660\]/);
    }));

  test("where nothing holds a run to its budget, it says why", async () => {
    const [bound, free] = [await planned("64 MiB"), await planned("")];
    assert.is(whyUnheld(bound, { onCpu: true, points: false }, "linux"), undefined);
    assert.is(whyUnheld(free, { onCpu: false, points: true }, "linux"), undefined, "without a budget there is nothing to hold");
    assert.match(whyUnheld(bound, { onCpu: false, points: false }, "linux")!.why, /on webgpu/);
    assert.match(whyUnheld(bound, { onCpu: true, points: false }, "darwin")!.why, /only Linux/);
    assert.match(whyUnheld(bound, { onCpu: true, points: true }, "linux")!.why, /points of the file follow/);
    await inFolder((folder) => {
      const more = "evaluate some on rows.train { metrics: [loss]  sequence_len: 16 }\nsweep sizes over some { r: [1] }";
      const { status, stderr } = train(folder, "p", `${pipeline(small, "64 MiB")}${more}`, undefined, "sweep");
      assert.is(status, 0, stderr);
      assert.is(stderr.match(/warning\[PEFT0663\]/g)?.length, 1, stderr);
    });
  });
});
