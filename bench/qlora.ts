// Training LoRA over a base packed in 4 bits, on the CPU: tokens per second and peak memory, ours against PEFT + bitsandbytes
// (bench/peers/qlora_torch.py), in turn on the same machine. Random weights, rows that fill the sequence, every linear layer adapted.
//
//   npm run build && npx tsx bench/qlora.ts [--layers 8] [--hidden 1024] [--rows 4] [--length 256] [--steps 6] [--rounds 2]
//                                           [--dtype f32|bf16] [--json]
//
// Both sides time the steps after the first. Peak memory is the process's largest resident size, and beside it the same less what the
// process holds before it loads anything (ours: Node with ONNX Runtime; theirs: Python with torch, transformers and bitsandbytes).

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Result } from "../spec/result.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const { values } = parseArgs({
  options: {
    layers: { type: "string", default: "8" },
    hidden: { type: "string", default: "1024" },
    rows: { type: "string", default: "4" },
    length: { type: "string", default: "256" },
    steps: { type: "string", default: "6" },
    rounds: { type: "string", default: "2" },
    dtype: { type: "string", default: "f32" },
    json: { type: "boolean", default: false },
  },
});
if (!existsSync(`${root}dist/peft.cjs`)) {
  console.error("dist/peft.cjs is not there: run npm run build");
  process.exit(2);
}

interface Measured {
  readonly tokensPerSecond: number;
  readonly lastLoss: number;
  readonly peak: number;
  /** Before anything was loaded. */
  readonly empty: number;
}

const complete = (command: string, args: readonly string[]): string => {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}\n${error?.message ?? stderr.slice(-2000)}${stdout.slice(-2000)}`);
  return stdout;
};

const folder = mkdtempSync(`${tmpdir()}/peft-qlora-`);
const shape = ["--layers", values.layers, "--hidden", values.hidden];

const prepare = (): void => {
  mkdirSync(`${folder}/base`);
  complete("python3", ["bench/peers/qlora_torch.py", "--make", "--model", `${folder}/base`, ...shape]);
  for (const file of ["tokenizer.json", "tokenizer_config.json"])
    copyFileSync(`${root}examples/base/shape/${file}`, `${folder}/base/${file}`);
  // Long enough to be cut everywhere.
  const text = "Ada gives two big buns to Felix at the bridge and goes home over the hill. ".repeat(Math.ceil(Number(values.length) / 8));
  writeFileSync(`${folder}/rows.txt`, `${Array.from({ length: 64 }, (_, i) => `${i} ${text}`).join("\n")}\n`);
  writeFileSync(
    `${folder}/qlora.peft`,
    `peft 1
base model = checkpoint("base/") {
  store layers.** as nf4(block: 64, double: true)
}
adapter some = lora(r: 16, alpha: 32) into model.layers.**
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows {
  optimizer: adamw(learning_rate: 1e-4)
  steps: ${values.steps}
  micro_batch_size: ${values.rows}
  sequence_len: ${values.length}
}
`,
  );
};

const ours = (): Measured => {
  const out = `${folder}/out`;
  rmSync(out, { recursive: true, force: true });
  complete(process.execPath, ["dist/peft.cjs", "train", `${folder}/qlora.peft`, "-o", out, "--device", "cpu"]);
  const { train } = JSON.parse(readFileSync(`${out}/result.json`, "utf8")) as Result;
  const { tokensPerSecond, losses, peakMemory } = train[0]!;
  const empty = complete(process.execPath, [
    "-e",
    `require("onnxruntime-node"); const s = require("fs").readFileSync("/proc/self/status", "utf8"); console.log(1024 * Number(/VmHWM:\\s+(\\d+)/.exec(s)[1]))`,
  ]);
  return { tokensPerSecond, lastLoss: losses.at(-1)!, peak: peakMemory, empty: Number(empty) };
};

const theirs = (): Measured => {
  const sizes = ["--rows", values.rows, "--length", values.length, "--steps", values.steps, "--dtype", values.dtype];
  const text = complete("python3", ["bench/peers/qlora_torch.py", "--model", `${folder}/base`, ...sizes]);
  return JSON.parse(text.slice(text.indexOf("{"))) as Measured;
};

const best = (all: readonly Measured[]): Measured => all.reduce((a, b) => (b.tokensPerSecond > a.tokensPerSecond ? b : a));

try {
  prepare();
  const sides = { ours: [] as Measured[], theirs: [] as Measured[] };
  for (let round = 0; round < Number(values.rounds); round++) {
    sides.ours.push(ours());
    sides.theirs.push(theirs());
  }
  const [a, b] = [best(sides.ours), best(sides.theirs)];
  const report = {
    job: `4 bits, double; LoRA r 16 on every linear layer; ${values.layers} layers of ${values.hidden}; ${values.rows} rows of ${values.length}`,
    machine: `${cpus()[0]?.model.trim()}, ${availableParallelism()} threads`,
    peer: `PEFT + bitsandbytes, ${values.dtype}`,
    ours: a,
    theirs: b,
    speed: a.tokensPerSecond / b.tokensPerSecond,
    memory: a.peak / b.peak,
    memoryAboveEmpty: (a.peak - a.empty) / (b.peak - b.empty),
  };
  if (values.json) console.log(JSON.stringify(report, undefined, 2));
  else {
    const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
    const row = (name: string, { tokensPerSecond, lastLoss, peak, empty }: Measured): string =>
      `${name.padEnd(28)} ${tokensPerSecond.toFixed(0).padStart(6)} tokens/s  peak ${mib(peak)}, ${mib(peak - empty)} above an empty process  loss ${lastLoss.toFixed(3)}`;
    console.log(
      `${report.job}; ${report.machine}\n${row("ours", a)}\n${row(report.peer, b)}\nspeed ${report.speed.toFixed(2)}, memory ${report.memory.toFixed(2)}, above empty ${report.memoryAboveEmpty.toFixed(2)}`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
