// An encoder and a decoder from end to end: a prompt is read with what the tokenizer puts around it, an answer is written from the start
// token, batches carry both, and the example learns, writes and is scored.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { main } from "../cli/main.ts";
import { rowFiles } from "../examples/summarise/rows.ts";
import { fillBatch, planEpoch } from "../runtime/data/batches.ts";
import { encodeExamples } from "../runtime/data/examples.ts";
import type { Tokenizer } from "../runtime/tokenizer.ts";
import type { Result } from "../spec/result.ts";
import { assert, group } from "./harness.ts";
import { shared, without } from "./runtime/shared.ts";

const folderOf = new URL("../examples/summarise/", import.meta.url);
const example = fileURLToPath(new URL("summarise.peft", folderOf));

const peft = async (...args: string[]): Promise<{ readonly code: number; readonly said: string }> => {
  const said: string[] = [];
  const stream = { write: (text: string) => void said.push(text), terminal: false, columns: () => undefined, colour: false };
  const io = { cwd: "/", out: stream, err: stream, stdin: () => "", now: () => 0 };
  return { code: await main(args, io), said: said.join("") };
};

/** Letters are their own tokens; 9 stands before and 1 behind every text, as some tokenizers put them. */
const letters = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0) - 87);
const tokenizer: Tokenizer = {
  encode: (text: string, options?: { special?: boolean }) => (options?.special ? [9, ...letters(text), 1] : letters(text)),
  continue: letters,
  decode: () => "",
  prefix: [9],
  eos: 1,
  stops: [1],
  tokenOf: () => undefined,
} as unknown as Tokenizer;

const rows = [
  { number: 1, values: { long: "abcdef", short: "ab" } },
  { number: 2, values: { long: "abc", short: "cde" } },
];
const data = { prompt: "{long}", answer: "{short}", loss_on: "answer" } as const;

group("summarise", (test) => {
  test("the encoder reads the prompt, cut before what stands behind it; the decoder writes from its start", () => {
    const options = { limit: 8, vocabulary: 40, source: { limit: 6, start: 0 } };
    const { examples, report } = encodeExamples(rows as never, data, tokenizer, options, "rows", () => "");
    assert.equal(examples.sources, [
      [9, 10, 11, 12, 13, 1],
      [9, 10, 11, 12, 1],
    ]);
    assert.equal([...examples.ids], [0, 10, 11, 1, 0, 12, 13, 14, 1]);
    assert.equal([...examples.labels], [0, 1, 1, 1, 0, 1, 1, 1, 1]);
    assert.match(report.warnings.map(({ message }) => message).join(), /1 of 2/);
    const [planned] = planEpoch(examples, { size: 2, order: "file", seed: 0, epoch: 0 });
    const batch = fillBatch(examples, planned!, 8);
    assert.equal(batch.source, { ids: examples.sources, u: 8 });
    assert.equal([...batch.targets], [10, 11, 1, 12, 13, 14, 1]);
    assert.equal([...batch.rows], [0, 1, 2, 8, 9, 10, 11]);
  });

  test("the example's rows are what its script makes", () => {
    for (const [name, text] of rowFiles()) assert.ok(readFileSync(new URL(name, folderOf), "utf8") === text, name);
  });

  test("all of the base and factors in its attention learn to write summaries, and virtual tokens make them likelier", async () => {
    const folder = mkdtempSync(`${tmpdir()}/peft-summarise-`);
    try {
      const { code, said } = await peft("run", example, "-o", folder, "--device", "cpu", "--set", "steps=90");
      assert.is(code, 0, said);
      const { evaluate } = JSON.parse(readFileSync(`${folder}/result.json`, "utf8")) as Result;
      const of = (subject: string): Readonly<Record<string, number>> => evaluate.find((one) => one.subject === subject)!.metrics;
      const rouge = ["writer", "whole", "low", "soft"].map((subject) => of(subject).rouge1!);
      assert.ok(rouge[0]! < 0.4 && rouge[1]! > 0.75 && rouge[2]! > 0.6, `ROUGE-1 of the base, whole, low and soft: ${rouge}`);
      assert.ok(of("soft").loss! < of("writer").loss! - 4, `${of("writer").loss} to ${of("soft").loss}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test(
    "the same file reads dialogues that nobody here wrote",
    async () => {
      const rows = shared("dialogue/dialogsum.dev.jsonl");
      const { code, said } = await peft("check", "--data", example, "--set", `train=${rows}`, "--set", `eval=${rows}`);
      // Longer than the base has positions for, and one file for both splits: said, and no error.
      assert.is(code, 0, said);
      assert.match(said, "PEFT0");
    },
    { skip: without("dialogue/dialogsum.dev.jsonl") },
  );
});
