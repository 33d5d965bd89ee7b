// The memory that a plan promises beside what a process takes, measured from outside: the largest resident size (VmHWM) of three training
// jobs on the CPU, less what a job of next to nothing takes; and of one whose base is twice its budget. Linux.
//
//   npm run build && npm run bench:memory -- [--job small|middle|large|larger] [--returning] [--json]
//
// --returning: with a C library that gives memory back as soon as it is free (glibc's MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_
// at 64 KiB), which shows what is in use and not what the allocator keeps. It is slower.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { PlanFacts } from "../cli/plan-facts.ts";
import { type Shape, writeLlama } from "./random-llama.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const { values } = parseArgs({
  options: { job: { type: "string" }, returning: { type: "boolean", default: false }, json: { type: "boolean", default: false } },
});

interface Work {
  readonly says: string;
  readonly shape: Shape;
  readonly store: string;
  readonly adapter: string;
  readonly batch: string;
  /** Bound of the training's memory. */
  readonly budget?: string;
}

const lora = "lora(r: 16) into model.layers.**";
const empty: Work = {
  says: "next to nothing",
  shape: { hidden: 64, layers: 1 },
  store: "",
  adapter: "lora(r: 2) into model.layers.**",
  batch: "micro_batch_size: 1  sequence_len: 32",
};
const works: Readonly<Record<string, Work>> = {
  small: {
    says: "LoRA over 4 bits, 4 rows of 256",
    shape: { hidden: 1024, layers: 4 },
    store: "store layers.** as nf4(double: true)",
    adapter: lora,
    batch: "micro_batch_size: 4  sequence_len: 256",
  },
  middle: {
    says: "every parameter, 2 rows of 256",
    shape: { hidden: 768, layers: 7 },
    store: "",
    adapter: "tune() into model.**",
    batch: "micro_batch_size: 2  sequence_len: 256",
  },
  large: {
    says: "LoRA over f32, 2 rows of 256",
    shape: { hidden: 2048, layers: 11 },
    store: "",
    adapter: lora,
    batch: "micro_batch_size: 2  sequence_len: 256",
  },
  larger: {
    says: "LoRA over f32, 2.1 GiB within 1 GiB",
    shape: { hidden: 2048, layers: 11 },
    store: "",
    adapter: lora,
    batch: "micro_batch_size: 2  sequence_len: 256",
    budget: "1 GiB",
  },
};

const tuned = values.returning ? { MALLOC_MMAP_THRESHOLD_: "65536", MALLOC_TRIM_THRESHOLD_: "65536" } : {};

/** The largest VmHWM seen while the command runs; it never falls, so the last look is the largest. */
const residentPeak = (args: readonly string[]): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...tuned } });
    let peak = 0;
    let told = "";
    child.stderr.on("data", (data: Buffer) => {
      told += data.toString();
    });
    const look = setInterval(() => {
      try {
        const found = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"));
        if (found) peak = 1024 * Number(found[1]);
      } catch {
        // It has just ended.
      }
    }, 10);
    child.on("close", (code) => {
      clearInterval(look);
      if (code === 0) resolve(peak);
      else reject(new Error(told.slice(-2000)));
    });
  });

const measure = async ({ shape, store, adapter, batch, budget }: Work): Promise<{ planned: number; peak: number }> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-memory-`);
  try {
    writeLlama(`${folder}/base`, shape);
    const text = "Ada gives two big buns to Felix at the bridge and goes home over the hill. ".repeat(40);
    writeFileSync(`${folder}/rows.txt`, `${Array.from({ length: 16 }, (_, i) => `${i} ${text}`).join("\n")}\n`);
    writeFileSync(
      `${folder}/job.peft`,
      `peft 1
base model = checkpoint("base/") {
  ${store}
}
adapter it = ${adapter}
data rows { train = text("rows.txt")  answer = "{text}" }
train it on rows { optimizer: adamw(learning_rate: 1e-4)  steps: 3  ${batch} }
${budget === undefined ? "" : `require { memory(train it) <= ${budget} }`}
`,
    );
    const plan = spawnSync(process.execPath, [`${root}dist/peft.cjs`, "plan", `${folder}/job.peft`, "--json"], { encoding: "utf8" });
    if (plan.status !== 0) throw new Error(plan.stderr + plan.stdout);
    const { run } = JSON.parse(plan.stdout) as PlanFacts;
    const peak = await residentPeak([`${root}dist/peft.cjs`, "train", `${folder}/job.peft`, "-o", `${folder}/out`, "--device", "cpu"]);
    return { planned: run.cpu, peak };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const nothing = await measure(empty);
const constant = nothing.peak - nothing.planned;
const rows: { name: string; says: string; planned: number; peak: number; beyond: number }[] = [];
for (const [name, work] of Object.entries(works)) {
  if (values.job !== undefined && values.job !== name) continue;
  const { planned, peak } = await measure(work);
  rows.push({ name, says: work.says, planned, peak, beyond: (peak - constant) / planned - 1 });
}
if (values.json) console.log(JSON.stringify({ constant, returning: values.returning, rows }, undefined, 2));
else {
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0).padStart(8);
  console.log(`MiB; a process without a job: ${mib(constant).trim()}\n${"".padEnd(42)} planned     peak  less it  beyond`);
  for (const { name, says, planned, peak, beyond } of rows)
    console.log(
      `${`${name}: ${says}`.padEnd(42)}${mib(planned)} ${mib(peak)} ${mib(peak - constant)}  ${beyond >= 0 ? "+" : ""}${(100 * beyond).toFixed(1)} %`,
    );
}
