// Numbers that others found, beside a sweep's own: which rows they come under, in every form of the table, and what is said about those
// that fit nothing.

import { type PointRun, pointTable } from "../../cli/point-table.ts";
import { cellText, csvPoints, markdownPoints, renderPoints } from "../../cli/render/points.ts";
import { compile } from "../../compiler/compile.ts";
import type { Result } from "../../spec/result.ts";
import { llamaConfig, memoryHost } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";

const file = (beside: string): string => `peft 1
input tables: path = "tables.json"
base tiny = blank("base/")
adapter menu = lora(r: 2) into tiny.layers.**
data rows { train = text("rows.txt")  eval = text("held.txt")  answer = "{text}" }
train menu on rows { optimizer: adamw(learning_rate: 1e-3)  steps: 10 }
evaluate menu on rows { metrics: [loss, bleu, chrf]  generate: greedy(max_new_tokens: 4) }
sweep ranks over menu { r: [1, 2, 4]  seed: [1, 2]  ${beside} }`;

const tables = {
  found: [
    { r: 1, val: 1.25, BLEU: 60.5 },
    { r: 4, val: 1.125, BLEU: 61.5 },
    { r: 8, val: 1, BLEU: 62 },
  ],
  holes: [{ r: 1 }, { r: 2, val: 1 }],
};

const compiled = (beside: string, files: Record<string, string> = {}) =>
  compile(
    { file: "main.peft", goal: "check" },
    memoryHost({
      "main.peft": file(beside),
      "base/config.json": JSON.stringify(llamaConfig),
      "tables.json": JSON.stringify(tables),
      ...files,
    }),
  );

const both = `beside: [
  figures("ours before", r: [2, 4], loss: [1.5, 1.75]),
  figures("paper", from: json(tables, under: "found"), r: "r", loss: "val", bleu: "BLEU"),
]`;

const run = (r: string, seed: string, loss: number, bleu: number): PointRun => ({
  id: `r=${r},seed=${seed}`,
  values: { r, seed },
  subject: "menu",
  result: {
    adapters: { menu: { method: "lora", trainable: 8, share: 0.1 } },
    train: [],
    evaluate: [{ subject: "menu", data: "rows", split: "eval", rows: 3, metrics: { loss, bleu }, seconds: 1 }],
  } as unknown as Result,
});

group("figures beside", (test) => {
  test("numbers in the file and columns of another stand under the rows of their point", async () => {
    const { diagnostics, points } = await compiled(both);
    assert.equal(diagnostics, []);
    const [set] = points!;
    assert.is(set!.points.length, 6, "they are no axis of the sweep");
    const runs = ["1", "2", "4"].flatMap((r) => [run(r, "1", 2, 10), run(r, "2", 3, 12)]);
    const table = pointTable("sweep", "ranks", runs, { beside: set!.beside! });
    assert.equal(
      table.rows.map(({ beside }) => beside.map(({ title }) => title)),
      [["paper"], ["ours before"], ["ours before", "paper"]],
    );
    const lines = markdownPoints(table).split("\n");
    assert.equal(lines.slice(2, 4), ["| 1 | 2 | 8 | 2.50 ± 0.71 | 11.0 ± 1.4 |", "| paper |  |  | 1.250 | 60.50 |"]);
    assert.match(renderPoints(table), /ours before +1\.750 *\n *paper +1\.125 +61\.50/);
    const csv = csvPoints(table).split("\n");
    assert.is(csv[0], "r,figures of,trained,trained deviation,trained seeds,loss,loss deviation,loss seeds,bleu,bleu deviation,bleu seeds");
    assert.is(csv[2], "1,paper,,,0,1.25,,1,60.5,,1");
    assert.ok(csv.every((line) => line === "" || line.split(",").length === 11));
  });

  test("a mean and its deviation are in one unit, with as many decimals as the deviation has figures", () => {
    const mebibyte = 2 ** 20;
    assert.is(cellText([60 * mebibyte, 61 * mebibyte], "bytes"), "60.50 ± 0.71 MiB");
    assert.is(cellText([500 * mebibyte, 2000 * mebibyte], "bytes"), "1.2 ± 1.0 GiB");
    assert.is(cellText([61 * mebibyte, 61 * mebibyte], "bytes"), "61.0 MiB");
    assert.is(cellText([0.01, 0.02], "percent"), "1.50 ± 0.71 %");
    assert.is(cellText([3500, 3700], "rate"), "3,600 ± 141");
    assert.is(cellText([1.5], "milliseconds"), "1.500");
  });

  test("a file that is not there stops nothing; figures that fit nothing are errors", async () => {
    const codes = async (beside: string, files: Record<string, string> = {}): Promise<string[]> =>
      (await compiled(beside, files)).diagnostics.map(({ code, severity }) => `${severity} ${code}`);
    assert.equal(await codes('beside: figures("x", from: json("gone.json"), r: "r")'), ["warning PEFT0703"]);
    for (const wrong of [
      "beside: 3",
      "beside: figures(r: [1], loss: [1])",
      'beside: figures("x", r: [1, 2], loss: [1])',
      'beside: figures("x", loss: [1])',
      'beside: figures("x", r: [1], los: [1])',
      'beside: figures("x", r: [1], loss: "val")',
      'beside: figures("x", r: [1], loss: ["a"])',
      'beside: figures("x", from: json(tables, under: "none"), r: "r", loss: "val")',
      'beside: figures("x", from: json(tables, under: "holes"), r: "r", loss: "val")',
      'beside: figures("x", from: csv(tables), r: "r", loss: "val")',
    ])
      assert.equal(await codes(wrong), ["error PEFT0702"], wrong);
    assert.equal(await codes(both, { "tables.json": "{" }), ["error PEFT0702"]);
  });
});
