// The memory that a plan promises beside what a process takes, measured from outside: the largest resident size (VmHWM) of three training
// jobs on the CPU, less what a job of next to nothing takes; and of one whose base is twice its budget. Linux. The jobs declare a budget, so they
// run in a process of their own that is held to the plan and whose C library gives memory back (cli/held.ts).
//
//   npm run build && npm run bench:memory -- [--job small|middle|large|larger] [--unheld] [--json]
//
// Jobs with lanes are not among them: a plan counts as many as the job may have, and how many there are follows from the machine.
//
// --unheld: without a budget, so with what the C library keeps of memory that is free. Prints each job's time too: what is held is slower.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { PlanFacts } from "../cli/plan-facts.ts";
import { type Shape, writeLlama } from "./random-llama.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const { values } = parseArgs({
  options: { job: { type: "string" }, unheld: { type: "boolean", default: false }, json: { type: "boolean", default: false } },
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
    says: "LoRA over 4 bits, 2 rows of 256",
    shape: { hidden: 1024, layers: 10 },
    store: "store layers.** as nf4(double: true)",
    adapter: lora,
    batch: "micro_batch_size: 2  sequence_len: 256",
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

/** A process and all below it. */
const family = (pid: number): readonly number[] => {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
    return [pid, ...children.flatMap((child) => family(Number(child)))];
  } catch {
    return []; // It has just ended.
  }
};

/** The largest VmHWM of one process seen while the command runs: that of the one which holds the job. It never falls, so the last look is the largest. */
const residentPeak = (args: readonly string[]): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
    let peak = 0;
    let told = "";
    child.stderr.on("data", (data: Buffer) => {
      told += data.toString();
    });
    const look = setInterval(() => {
      for (const pid of family(child.pid!)) {
        try {
          const found = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
          if (found) peak = Math.max(peak, 1024 * Number(found[1]));
        } catch {
          // It has just ended.
        }
      }
    }, 10);
    child.on("close", (code) => {
      clearInterval(look);
      if (code === 0) resolve(peak);
      else reject(new Error(told.slice(-2000)));
    });
  });

const measure = async ({ shape, store, adapter, batch, budget }: Work): Promise<{ planned: number; peak: number; seconds: number }> => {
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
${budget === undefined && values.unheld ? "" : `require { memory(train it) <= ${budget ?? "64 GiB"} }`}
`,
    );
    const plan = spawnSync(process.execPath, [`${root}dist/peft.cjs`, "plan", `${folder}/job.peft`, "--json"], { encoding: "utf8" });
    if (plan.status !== 0) throw new Error(plan.stderr + plan.stdout);
    const { run } = JSON.parse(plan.stdout) as PlanFacts;
    const start = performance.now();
    const peak = await residentPeak([`${root}dist/peft.cjs`, "train", `${folder}/job.peft`, "-o", `${folder}/out`, "--device", "cpu"]);
    return { planned: run.cpu, peak, seconds: (performance.now() - start) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const nothing = await measure(empty);
const constant = nothing.peak - nothing.planned;
const rows: { name: string; says: string; planned: number; peak: number; beyond: number; seconds: number }[] = [];
for (const [name, work] of Object.entries(works)) {
  if (values.job !== undefined && values.job !== name) continue;
  const { planned, peak, seconds } = await measure(work);
  rows.push({ name, says: work.says, planned, peak, beyond: (peak - constant) / planned - 1, seconds });
}
/** How far a larger job's peak is from a smaller one's, against the same of their plans. */
const steps = rows.slice(1).map((row, i) => {
  const before = rows[i]!;
  return { name: `${before.name} to ${row.name}`, planned: row.planned - before.planned, grown: row.peak - before.peak };
});
if (values.json) console.log(JSON.stringify({ constant, unheld: values.unheld, rows, steps }, undefined, 2));
else {
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0).padStart(8);
  console.log(`MiB; a process without a job: ${mib(constant).trim()}\n${"".padEnd(42)} planned     peak  less it  beyond   seconds`);
  const share = (part: number): string => `${part >= 0 ? "+" : ""}${(100 * part).toFixed(1)} %`.padStart(8);
  for (const { name, says, planned, peak, beyond, seconds } of rows)
    console.log(
      `${`${name}: ${says}`.padEnd(42)}${mib(planned)} ${mib(peak)} ${mib(peak - constant)}${share(beyond)}  ${seconds.toFixed(0).padStart(8)}`,
    );
  for (const { name, planned, grown } of steps)
    console.log(`${name.padEnd(42)}${mib(planned)} ${"".padEnd(8)} ${mib(grown)}${share(grown / planned - 1)}`);
}
