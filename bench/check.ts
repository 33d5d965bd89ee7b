// How long `peft check` takes from a cold start, as a whole process, against `node -e 0` in the same run: the ratio a person feels
// on every save and a CI job pays on every pull request. Runs alternate, so that a busy moment of the machine falls on both.
//
//   npm run bench:check            # examples, 30 runs each
//   npm run bench:check -- 100     # more runs

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { buildWhenStale } from "../build.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const runs = Number(process.argv[2] ?? 30);
const executable = `${root}dist/peft.cjs`;

const commands: Readonly<Record<string, readonly string[]>> = {
  "node -e 0": ["-e", "0"],
  "peft --version": [executable, "--version"],
  "peft check quickstart": [executable, "check", "examples/quickstart/quickstart.peft"],
  "peft check base": [executable, "check", "examples/base/base.peft"],
};

await buildWhenStale();
const times = new Map(Object.keys(commands).map((name) => [name, [] as number[]]));
for (let run = 0; run < runs; run++)
  for (const [name, args] of Object.entries(commands)) {
    const start = performance.now();
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    times.get(name)!.push(performance.now() - start);
    if (status !== 0) throw new Error(`${name} exits ${status}: ${stdout}${stderr}`);
  }

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.floor(q * (sorted.length - 1))]!;
const sorted = new Map([...times].map(([name, list]) => [name, [...list].sort((a, b) => a - b)]));
const bare = sorted.get("node -e 0")!;
console.log(`node ${process.version}, ${runs} runs each, milliseconds\n`);
console.log(`${"".padEnd(24)}${["least", "quarter", "median", "ratio of medians"].map((title) => title.padStart(18)).join("")}`);
for (const [name, list] of sorted) {
  const cells = [0, 0.25, 0.5].map((q) => quantile(list, q).toFixed(1));
  console.log(
    `${name.padEnd(24)}${[...cells, (quantile(list, 0.5) / quantile(bare, 0.5)).toFixed(2)].map((cell) => cell.padStart(18)).join("")}`,
  );
}
