// FILE.measured from the command line: written by `peft measure` and by what trains, read by everything else, held to what it follows from.

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { measuredProblem } from "../../cli/validate-measured.ts";
import type { Measured } from "../../spec/measured.ts";
import { assert, group } from "../harness.ts";
import { peftIn } from "./peft-in.ts";

const quickstart = fileURLToPath(new URL("../../examples/quickstart/", import.meta.url));

const pipeline = (adapter: string, more = "", observe = "6 rows"): string => `peft 1
base teller = checkpoint("base/")
adapter menu = ${adapter} into teller.layers.*.attn.{q, out}
data orders { train = jsonl("rows.jsonl")  prompt = "{slip}\\n"  answer = "{text}" }
train menu on orders {
  optimizer: adamw(learning_rate: 1e-3)  steps: 3  micro_batch_size: 2  sequence_len: 48  observe: ${observe}
}
${more}
`;

const rows = readFileSync(join(quickstart, "orders.train.jsonl"), "utf8").split("\n").slice(0, 12).join("\n");
const sized = "eva(r: 3, rho: 2, alpha: 6)";

/** A folder with a base, rows and main.peft, given to `body`. */
const inFolder = async (text: string, body: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "peft-measured-"));
  try {
    cpSync(join(quickstart, "base"), join(folder, "base"), { recursive: true });
    writeFileSync(join(folder, "rows.jsonl"), rows);
    writeFileSync(join(folder, "main.peft"), text);
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const found = (folder: string): Measured => JSON.parse(readFileSync(join(folder, "main.peft.measured"), "utf8")) as Measured;

const told = async (folder: string, command = "check main.peft"): Promise<{ code: number; said: readonly string[] }> => {
  const { code, out, err } = await peftIn(folder, `${command} --format json`);
  const at = out.startsWith("{") ? out : err;
  return {
    code,
    said: (JSON.parse(at) as { diagnostics: { code: string; message: string }[] }).diagnostics.map((one) => `${one.code} ${one.message}`),
  };
};

const trainable = async (folder: string): Promise<number> => {
  const { out } = await peftIn(folder, "plan main.peft --json");
  return (JSON.parse(out) as { adapters: { trainable: number }[] }).adapters[0]!.trainable;
};

const run = "run main.peft --device cpu -o out";

group("what was measured", (test) => {
  test("is written beside the file, a target a line, the same each time; plans are then exact, and say nothing more", () =>
    inFolder(pipeline(sized), async (folder) => {
      const before = await told(folder);
      assert.is(before.code, 0);
      assert.match(before.said.join(), /^PEFT0375 `rank` of `menu` is not measured yet/);
      const most = await trainable(folder);
      assert.match((await peftIn(folder, "plan main.peft")).out, "rank is not measured yet: all of this is of the most it may be, 6");
      const { code, out, err } = await peftIn(folder, "measure main.peft --device cpu");
      assert.is(code, 0, err);
      assert.match(out, "rank");
      assert.match(err, "measured rank of menu: main.peft.measured");
      assert.not.match(err, "PEFT0375");
      const first = readFileSync(join(folder, "main.peft.measured"), "utf8");
      assert.is(measuredProblem(JSON.parse(first)), undefined);
      assert.match(first, /"layers\.0\.attn\.q": \{ "rank": \d+ \}/);
      const sizes = Object.values(found(folder).lines[0]!.sizes).map(({ rank }) => rank!);
      assert.is(
        sizes.reduce((a, b) => a + b),
        3 * sizes.length,
      );
      assert.equal((await told(folder)).said, []);
      assert.ok((await trainable(folder)) < most);
      assert.match((await peftIn(folder, "plan main.peft")).out, /rank was measured: \d to \d at \d+ of \d+ places/);
      await peftIn(folder, "measure main.peft --device cpu");
      assert.is(readFileSync(join(folder, "main.peft.measured"), "utf8"), first);
    }));

  test("a run measures what was never measured, once; its folder is read back, and says each rank as PEFT does", () =>
    inFolder(
      pipeline(sized, 'merge menu into "merged/"\nevaluate teller, menu on orders.train { metrics: [loss]  sequence_len: 48 }'),
      async (folder) => {
        const first = await peftIn(folder, run);
        assert.is(first.code, 0, first.err);
        assert.match(first.err, "measured rank of menu");
        const { lines } = found(folder);
        const config = JSON.parse(readFileSync(join(folder, "out/adapters/menu/adapter_config.json"), "utf8")) as Record<string, unknown>;
        const ranks = Object.entries(lines[0]!.sizes).flatMap(([path, { rank }]) => {
          const [, layer, , place] = path.split(".") as [string, string, string, string];
          return rank === 3 ? [] : [[`model.layers.${layer}.self_attn.${place === "q" ? "q" : "o"}_proj`, rank!] as const];
        });
        assert.ok(ranks.length > 0);
        // A name that stands for all of its kind is written once.
        const pattern = config.rank_pattern as Record<string, number>;
        const of = (name: string): number | undefined => pattern[name] ?? pattern[name.split(".").at(-1)!];
        assert.equal(
          ranks.map(([name]) => of(name)),
          ranks.map(([, rank]) => rank),
        );
        const alphas = config.alpha_pattern as Record<string, number>;
        assert.equal(
          ranks.map(([name]) => alphas[name] ?? alphas[name.split(".").at(-1)!]),
          ranks.map(([, rank]) => 2 * rank),
        );
        assert.is((config as { r: number }).r, 3);
        const result = JSON.parse(readFileSync(join(folder, "out/result.json"), "utf8")) as {
          evaluate: { subject: string; metrics: { loss: number } }[];
          merge: { check?: { unmerged: number; merged: number } }[];
        };
        const { unmerged, merged } = result.merge[0]!.check!;
        assert.ok(Math.abs(unmerged - merged) < 1e-5 * unmerged, `${merged} merged, ${unmerged} unmerged`);
        const second = await peftIn(folder, run);
        assert.is(second.code, 0, second.err);
        assert.not.match(second.err, "measured rank");
        writeFileSync(
          join(folder, "main.peft"),
          readFileSync(join(folder, "main.peft"), "utf8")
            .replace(/adapter menu = .*\n/, 'adapter menu = load("out/adapters/menu/")\n')
            .replace(/train menu[\s\S]*?\n}\n/, "")
            .replace(/merge .*\n/, ""),
        );
        const back = await peftIn(folder, "evaluate main.peft --device cpu -o again --json");
        assert.is(back.code, 0, back.err);
        const loss = (all: typeof result.evaluate): number => all.find(({ subject }) => subject === "menu")!.metrics.loss;
        const [then, now] = [loss(result.evaluate), loss((JSON.parse(back.out) as typeof result).evaluate)];
        assert.ok(Math.abs(then - now) < 1e-6 * then, `${now} read back, ${then} before`);
      },
    ));

  test("holds for what it was measured from: another setting, training, data file, tokenizer or base is said, and a run does not measure anew by itself", () =>
    inFolder(pipeline(sized), async (folder) => {
      assert.is((await peftIn(folder, "measure main.peft --device cpu")).code, 0);
      const write = (name: string, content: string | Buffer): void => writeFileSync(join(folder, name), content);
      const stale = async (what: RegExp): Promise<void> => {
        const { code, said } = await told(folder);
        assert.is(code, 1);
        assert.match(said.join("\n"), what);
        assert.is(said.length, 1);
      };
      write("main.peft", pipeline("eva(r: 2, rho: 3, alpha: 6)"));
      await stale(/^PEFT0377 .*method, with its settings and places/);
      assert.match((await peftIn(folder, run)).err, "PEFT0377");
      assert.not(existsSync(join(folder, "out/adapters")));
      write("main.peft", pipeline(sized, "", "7 rows"));
      await stale(/^PEFT0377 .*training/);
      write("main.peft", pipeline(sized));
      write("rows.jsonl", rows.replace("a", "e"));
      await stale(/^PEFT0377 .*data/);
      write("rows.jsonl", rows);
      const weights = readFileSync(join(folder, "base/model.safetensors"));
      const other = Buffer.from(weights);
      other.writeFloatLE(0.25, 8 + Number(other.readBigUInt64LE(0)));
      write("base/model.safetensors", other);
      await stale(/^PEFT0377 .*weights/);
      rmSync(join(folder, "rows.jsonl"));
      write("base/model.safetensors", weights);
      const absent = await told(folder);
      assert.not.match(absent.said.join(), "PEFT0377", "what is not here is not compared");
      write("rows.jsonl", rows);
      assert.equal(await told(folder), { code: 0, said: [] });
      write("main.peft.measured", "{}");
      assert.match((await told(folder)).said.join(), "PEFT0614");
    }));

  test("what needs shapes asks for it; budgets take it where it is there, and are held by the most there may be before", () =>
    inFolder(pipeline(sized, "require { trainable(menu) <= 1  file(menu) <= 1 MB }"), async (folder) => {
      const open = await told(folder);
      assert.is(open.code, 0);
      assert.is(open.said.filter((line) => line.startsWith("PEFT0375")).length, 2, "of the adapter, and of the bound that is not settled");
      for (const command of ["build main.peft", "merge main.peft", "evaluate main.peft --device cpu"]) {
        const { code, err } = await peftIn(folder, command);
        assert.is(code, 1, command);
        assert.match(err, "PEFT0378");
      }
      await peftIn(folder, "measure main.peft --device cpu");
      const { code, said } = await told(folder);
      assert.is(code, 1);
      assert.equal(
        said.map((line) => line.slice(0, 8)),
        ["PEFT0324"],
      );
    }));

  test("a sweep's points are measured each for itself, and not twice", () =>
    inFolder(
      pipeline(sized, "evaluate menu on orders.train { metrics: [loss] }\nsweep widths over menu { rho: [1, 1.5, 2] }"),
      async (folder) => {
        const first = await peftIn(folder, "sweep main.peft --device cpu -o out");
        assert.is(first.code, 0, first.err);
        const points = found(folder).lines.map(({ point }) => point);
        assert.equal(points, ["sweep widths rho=1.5", "sweep widths rho=2"]);
        const second = await peftIn(folder, "sweep main.peft --device cpu -o out");
        assert.match(second.err, "finished before");
        assert.not.match(second.err, "measured rank");
      },
    ));

  test("a file from standard input is measured by every run, and nothing is written", () =>
    inFolder(pipeline(sized), async (folder) => {
      const { code, err } = await peftIn(folder, "run - --device cpu -o out", pipeline(sized));
      assert.is(code, 0, err);
      assert.ok(existsSync(join(folder, "out/adapters/menu/adapter_model.safetensors")));
      assert.not(existsSync(join(folder, "main.peft.measured")));
      assert.not(existsSync(join(folder, "<stdin>.measured")));
    }));
});
