// An encoder and a decoder from end to end: a prompt is read with what the tokenizer puts around it, an answer is written from the start
// token, batches carry both, and the example learns, writes and is scored.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { main } from "../cli/main.ts";
import { fillBatch, planEpoch } from "../runtime/data/batches.ts";
import { encodeExamples } from "../runtime/data/examples.ts";
import type { Tokenizer } from "../runtime/tokenizer.ts";
import type { Result } from "../spec/result.ts";
import { assert, group } from "./harness.ts";

const example = fileURLToPath(new URL("../examples/summarise/summarise.peft", import.meta.url));

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

  test("the example trains, writes and is scored", async () => {
    const folder = mkdtempSync(`${tmpdir()}/peft-summarise-`);
    try {
      const said: string[] = [];
      const stream = { write: (text: string) => void said.push(text), terminal: false, columns: () => undefined, colour: false };
      const io = { cwd: "/", out: stream, err: stream, stdin: () => "", now: () => 0 };
      assert.is(await main(["run", example, "-o", folder, "--device", "cpu", "--set", "steps=12"], io), 0, said.join(""));
      const { train, evaluate } = JSON.parse(readFileSync(`${folder}/result.json`, "utf8")) as Result;
      const { losses } = train[0]!;
      assert.ok(losses[0]! - losses.at(-1)! > 1, `${losses}`);
      assert.ok(evaluate[0]!.metrics.rouge1! >= 0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
