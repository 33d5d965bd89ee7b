// LoRA training on E2E, tokens per second: ours against the same job in PyTorch (bench/peers/e2e_torch.py), in turn on the same
// machine, the ratio of their medians. The first round of each warms caches and is not counted.
//
//   npm run build && npx tsx bench/e2e.ts [--steps 60] [--rounds 3] [--peer bare|peft] [--dtype f32|bf16] [--rank 8]
//                                         [--data DIR] [--model DIR] [--device cpu] [--json]
//
// Real tokens are counted, padding is not. Both sides time the training loop alone: no loading, no compiling, no evaluation.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Result } from "../spec/result.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "60" },
    rounds: { type: "string", default: "3" },
    peer: { type: "string", default: "bare" },
    dtype: { type: "string", default: "f32" },
    rank: { type: "string", default: "8" },
    device: { type: "string", default: "cpu" },
    data: { type: "string", default: `${root}../shared/data/e2e` },
    model: { type: "string", default: `${root}../shared/data/models/stories260k` },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);

interface Measured {
  readonly tokensPerSecond: number;
  readonly stepMs: number;
  readonly lastLoss: number;
  readonly peakMemory: number;
}

const complete = (command: string, args: readonly string[]): string => {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}\n${error?.message ?? stderr.slice(-2000)}${stdout.slice(-2000)}`);
  return stdout;
};

/** Mean of the last ten, so that one batch does not decide. */
const tail = (losses: readonly number[]): number => losses.slice(-10).reduce((sum, loss) => sum + loss, 0) / Math.min(10, losses.length);

const ours = (): Measured => {
  const out = mkdtempSync(`${tmpdir()}/peft-e2e-`);
  try {
    const inputs = { data: values.data, model: values.model, rank: values.rank, steps: values.steps };
    const sets = Object.entries(inputs).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
    complete(process.execPath, ["dist/peft.cjs", "train", "examples/e2e/e2e.peft", "-o", out, "--device", values.device, ...sets]);
    const { train } = JSON.parse(readFileSync(`${out}/result.json`, "utf8")) as Result;
    const { tokensPerSecond, seconds, steps, losses, peakMemory } = train[0]!;
    return { tokensPerSecond, stepMs: (1000 * seconds) / steps, lastLoss: tail(losses), peakMemory };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
};

const theirs = (): Measured => {
  const options = ["--model", values.model, "--data", values.data, "--impl", values.peer, "--dtype", values.dtype, "--valid", "0"];
  const text = complete("python3", ["bench/peers/e2e_torch.py", ...options, "--rank", values.rank, "--steps", values.steps]);
  const result = JSON.parse(text.slice(text.indexOf("{"))) as {
    tokens_per_second: number;
    step_ms: number;
    losses: number[];
    peak_rss_bytes: number;
  };
  return {
    tokensPerSecond: result.tokens_per_second,
    stepMs: result.step_ms,
    lastLoss: tail(result.losses),
    peakMemory: result.peak_rss_bytes,
  };
};

const median = (numbers: readonly number[]): number => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

for (const path of [`${root}dist/peft.cjs`, values.data, values.model])
  if (!existsSync(path)) {
    console.error(`${path} is not there${path.endsWith("peft.cjs") ? ": run npm run build" : ""}`);
    process.exit(2);
  }

const sides = { ours: [] as Measured[], theirs: [] as Measured[] };
for (let round = 0; round <= rounds; round++) {
  const pair = { ours: ours(), theirs: theirs() };
  const state = round === 0 ? "warm-up" : `round ${round}`;
  if (!values.json)
    console.log(
      `${state}: ours ${pair.ours.tokensPerSecond.toFixed(0)} tokens/s, theirs ${pair.theirs.tokensPerSecond.toFixed(0)} tokens/s`,
    );
  if (round === 0) continue;
  sides.ours.push(pair.ours);
  sides.theirs.push(pair.theirs);
}

const summary = (measured: readonly Measured[]) => ({
  tokensPerSecond: median(measured.map((one) => one.tokensPerSecond)),
  stepMs: median(measured.map((one) => one.stepMs)),
  lastLoss: measured.at(-1)!.lastLoss,
  peakMemory: Math.max(...measured.map((one) => one.peakMemory)),
});
const report = {
  job: `LoRA r ${values.rank} on E2E, 16 rows, ${values.steps} steps, f32`,
  machine: `${cpus()[0]?.model.trim()}, ${availableParallelism()} threads`,
  peer: `PyTorch ${values.dtype}, ${values.peer === "bare" ? "hand-written LoRA" : "PEFT"}`,
  ours: summary(sides.ours),
  theirs: summary(sides.theirs),
  ratio: summary(sides.ours).tokensPerSecond / summary(sides.theirs).tokensPerSecond,
};
if (values.json) console.log(JSON.stringify(report, undefined, 2));
else {
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const row = (name: string, { tokensPerSecond, stepMs, lastLoss, peakMemory }: Measured): string =>
    `${name.padEnd(32)} ${tokensPerSecond.toFixed(0).padStart(7)} tokens/s  ${stepMs.toFixed(1).padStart(7)} ms/step  loss ${lastLoss.toFixed(3)}  peak ${mib(peakMemory)}`;
  console.log(
    `\n${report.job}; ${report.machine}\n${row("ours", report.ours)}\n${row(report.peer, report.theirs)}\nratio ${report.ratio.toFixed(2)}`,
  );
}
