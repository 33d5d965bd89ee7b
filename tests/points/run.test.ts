// A sweep and a comparison from the command line, on the quickstart's base: every point has its folder, a second run runs nothing
// again, a new value runs that value alone, and tables hold what the points' results hold.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { buildWhenStale } from "../../build.ts";
import { performApart } from "../../cli/apart.ts";
import { compileFile } from "../../cli/compile-file.ts";
import type { Io } from "../../cli/io.ts";
import type { PointTable } from "../../cli/point-table.ts";
import { DiagnosticError } from "../../runtime/diagnostic-error.ts";
import type { RunEvent } from "../../runtime/events.ts";
import type { Result } from "../../spec/result.ts";
import { peft } from "../cli/run-cli.ts";
import { assert, group } from "../harness.ts";

const quickstart = fileURLToPath(new URL("../../examples/quickstart/", import.meta.url));

const pipeline = (values: string): string => `peft 1
base teller = checkpoint("${quickstart}base/")
adapter clerk = lora(r: 1, alpha: 2) into teller.layers.*.attn.q
data orders {
  train = jsonl("${quickstart}orders.train.jsonl", rows: 16)
  eval = jsonl("${quickstart}orders.eval.jsonl", rows: 3)
  prompt = "{slip}\\n"
  answer = "{text}"
}
train clerk on orders { optimizer: adamw(learning_rate: 1e-2)  steps: 2  micro_batch_size: 4  sequence_len: 96  seed: 1 }
evaluate clerk on orders.eval { metrics: [loss, rouge]  generate: greedy(max_new_tokens: 4)  micro_batch_size: 4  sequence_len: 96 }
sweep ranks over clerk { r: [${values}]  seed: [1, 2] }
compare ways on orders { lora: clerk, top: tune() into teller.layers.0.attn.q }
`;

/** Ends this process's child that runs a job, and none beside it. */
const endServing = (): void => {
  for (const id of readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").split(" ").filter(Boolean))
    if (readFileSync(`/proc/${id}/cmdline`, "utf8").includes("serve()")) process.kill(Number(id), "SIGTERM");
};

group("points from the command line", (test) => {
  test("what each point would take, side by side, with nothing run; a seed needs no row of its own", async () => {
    const folder = mkdtempSync(`${tmpdir()}/peft-points-`);
    try {
      writeFileSync(`${folder}/p.peft`, pipeline("1, 8"));
      const told = await peft(`plan ${folder}/p.peft --points --json`);
      assert.is(told.code, 0, told.err);
      const sets = JSON.parse(told.out) as {
        name: string;
        points: { label: string; trainable: number; memory: Record<string, number> }[];
      }[];
      const [ranks, ways] = ["ranks", "ways"].map((name) => sets.find((set) => set.name === name)!.points);
      assert.equal(
        ranks!.map(({ label }) => label),
        ["r=1", "r=8"],
      );
      assert.is(ranks![1]!.trainable, 8 * ranks![0]!.trainable);
      assert.ok(ranks![1]!.memory["optimizer state"]! > ranks![0]!.memory["optimizer state"]!);
      assert.equal(
        ways!.map(({ label }) => label),
        ["teller", "lora", "top"],
      );
      const shown = await peft(`plan ${folder}/p.peft --points`);
      assert.match(shown.out, /compare ways\n +trains +frozen weights .* peak of the plan\n +teller +0 /);
      assert.equal(readdirSync(folder), ["p.peft"]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("every point once, whatever was run before; tables are the results", async () => {
    const folder = mkdtempSync(`${tmpdir()}/peft-points-`);
    try {
      const file = `${folder}/p.peft`;
      const sweep = async (values: string) => {
        writeFileSync(file, pipeline(values));
        const answer = await peft(["sweep", file, "-o", `${folder}/out`, "--device", "cpu", "--json"].join(" "));
        assert.is(answer.code, 0, answer.err);
        return { err: answer.err, table: (JSON.parse(answer.out) as PointTable[])[0]! };
      };
      const first = await sweep("1");
      assert.not.match(first.err, /finished before/);
      const second = await sweep("1, 2");
      assert.is(second.err.match(/finished before/g)?.length, 2, "the two points of r=1");
      const third = await sweep("1, 2");
      assert.is(third.err.match(/finished before/g)?.length, 4);
      assert.equal(third.table, second.table);

      const halted = `${folder}/halted/sweeps/ranks`;
      mkdirSync(halted, { recursive: true });
      writeFileSync(`${halted}/r=2,seed=1`, "a file where the second point's folder would be");
      writeFileSync(file, pipeline("1, 2").replace("seed: [1, 2]", "seed: 1"));
      assert.is((await peft(`sweep ${file} -o ${folder}/halted --device cpu`)).code, 1);
      assert.match(readFileSync(`${halted}/table.md`, "utf8"), /\n\| 1 \|/);
      assert.is((await peft(`report ${folder}/halted`)).code, 0, "what was finished before it stopped is reported");
      writeFileSync(file, pipeline("1, 2"));

      const points = `${folder}/out/sweeps/ranks/`;
      assert.equal(readdirSync(points).sort(), [
        "points.json",
        "r=1,seed=1",
        "r=1,seed=2",
        "r=2,seed=1",
        "r=2,seed=2",
        "table.csv",
        "table.md",
      ]);
      const lossOf = (point: string): number =>
        (JSON.parse(readFileSync(`${points}${point}/result.json`, "utf8")) as Result).evaluate[0]!.metrics.loss!;
      const column = second.table.columns.findIndex(({ title }) => title === "loss");
      assert.equal(second.table.rows[1]!.cells[column], [lossOf("r=2,seed=1"), lossOf("r=2,seed=2")]);
      assert.not.equal(lossOf("r=2,seed=1"), lossOf("r=2,seed=2"));

      await buildWhenStale();
      const compared = await peft(["compare", file, "ways", "-o", `${folder}/out`, "--device", "cpu"].join(" "));
      assert.is(compared.code, 0, compared.err);
      for (const word of ["teller", "lora", "top", "ms/token", "merged", "tokens/s", "on disk", "peak memory", "rougeL", "paired by input"])
        assert.match(compared.out, word);
      const way = (name: string): Result =>
        JSON.parse(readFileSync(`${folder}/out/comparisons/ways/method=${name}/result.json`, "utf8")) as Result;
      const [lora] = way("lora").inference!;
      assert.ok(lora!.secondsPerToken > 0 && lora!.mergedSecondsPerToken! > 0);
      assert.is(way("teller").inference![0]!.mergedSecondsPerToken, undefined);
      // What the process of a candidate took, and not what this one takes.
      const peak = way("lora").train[0]!.peakMemory;
      assert.ok(peak > way("lora").train[0]!.deviceMemory && peak < process.memoryUsage().rss, `${peak} of ${process.memoryUsage().rss}`);
      const ofBase = way("teller").evaluate.at(-1)!.peakMemory!;
      assert.ok(ofBase > 2 ** 25 && way("lora").evaluate.at(-1)!.peakMemory! >= peak, `${ofBase}; ${peak}`);
      assert.match(readFileSync(`${folder}/out/comparisons/ways/table.csv`, "utf8"), new RegExp(`\\nteller,.*,,,0,${ofBase},,1,`));
      const paired = readFileSync(`${folder}/out/comparisons/ways/paired.csv`, "utf8").trim().split("\n");
      assert.is(paired.length, 1 + 2 * 4, "the base and the other candidate, four scores of rouge each");
      assert.ok(paired.slice(1).every((line) => /^orders\.eval,rouge\w+,lora,(teller|top),/.test(line)));
      assert.ok(existsSync(`${folder}/out/comparisons/ways/table.csv`));

      const shown = await peft(`report ${folder}/out`);
      assert.is(shown.code, 0, shown.err);
      const page = readFileSync(`${folder}/out/report.html`, "utf8");
      // Nothing to fetch, nothing to run: the only addresses are names of XML namespaces.
      const addresses = [...page.matchAll(/https?:\/\/[^"'\s<)]+/g)].map(([address]) => address);
      assert.ok(
        addresses.every((address) => address.startsWith("http://www.w3.org/")),
        addresses.join(),
      );
      assert.not.match(page, /<script|<link|<img/);
      const ids = [...page.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id);
      assert.is(new Set(ids).size, ids.length, "pictures share no ids");
      const pictures = page.match(/<svg/g)!.length;
      // The loss curves, a plot per score of the sweep (train loss, loss, four of rouge), the trade-off.
      assert.is(pictures, 1 + 6 + 1);
      for (const word of ["paired by input", "ranks", "ways", "Samples", "sweep ranks over clerk", "sha256", "± "])
        assert.ok(page.includes(word), word);
      assert.match(readFileSync(`${folder}/out/report.md`, "utf8"), /\| r \| seeds \|/);
      assert.is(readFileSync(`${folder}/out/report-ways-paired.csv`, "utf8").trim().split("\n").length, paired.length);
      assert.is((await peft(`report ${folder}`)).code, 1, "a folder without results is said to be one");
      const none = await peft(["compare", file, "wys", "-o", `${folder}/out`].join(" "));
      assert.is(none.code, 1);
      assert.match(none.err, /did you mean `ways`/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("a job in a process of its own tells what it does, saves when it is stopped, and says what is wrong with it", async () => {
    await buildWhenStale();
    const folder = mkdtempSync(`${tmpdir()}/peft-apart-`);
    try {
      const text = pipeline("1").replace("steps: 2 ", "steps: 5000 ");
      const call = { io: { cwd: folder } as Io, arguments: ["p.peft"], flags: new Set<string>(), values: new Map<string, string[]>() };
      const { job, files } = await compileFile({ file: "p.peft", text }, call, "build");
      const apart = (verb: "train" | "evaluate", output: string, signal: AbortSignal, listen: (event: RunEvent) => void): Promise<Result> =>
        performApart(
          {
            job: job!,
            read: () => Promise.reject(new Error("read here")),
            folder,
            output,
            device: "cpu",
            verbs: new Set([verb]),
            inputs: {},
            cwd: folder,
          },
          files!,
          listen,
          signal,
        );
      const stopping = new AbortController();
      const result = await apart("train", "out", stopping.signal, (event) => event.kind === "step" && stopping.abort());
      assert.is(result.outcome, "interrupted");
      assert.ok(result.train[0]!.steps > 0 && result.train[0]!.steps < 5000);
      assert.ok(existsSync(`${folder}/out/state`));
      if (process.platform === "linux") {
        const ended = await apart("train", "ended", new AbortController().signal, (event) => event.kind === "step" && endServing());
        assert.is(ended.outcome, "interrupted", "SIGTERM to that process alone stops it as Ctrl-C does");
        assert.ok(existsSync(`${folder}/ended/state`));
      }
      const wrong = await apart("evaluate", "untrained", new AbortController().signal, () => {}).then(
        () => [],
        (error: unknown) => (error instanceof DiagnosticError ? error.diagnostics : [String(error)]),
      );
      assert.ok(wrong.length > 0 && typeof wrong[0] === "object", JSON.stringify(wrong));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
