// `--adapter DIR` on folders that PEFT itself wrote: the loss that `evaluate` finds is PEFT's, and `generate` writes what PEFT's model
// finds likeliest, token for token.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { nodeHost } from "../../runtime/node-host.ts";
import { openTokenizer } from "../../runtime/tokenizer.ts";
import type { Result } from "../../spec/result.ts";
import { peftIn } from "../checker/peft-in.ts";
import { assert, group } from "../harness.ts";
import { python, pythonMissing } from "./python.ts";

const base = fileURLToPath(new URL("../../examples/quickstart/base", import.meta.url));
const rows = [
  { slip: "from: Dan | to: Ida", text: "Dan takes it to Ida." },
  { slip: "from: Ada | to: Leo | item: pike", text: "Ada the fisher takes pike to Leo." },
];
const tokens = 12;

const pipeline = `peft 1
base teller = checkpoint("${base}/")
data orders { eval = jsonl("rows.jsonl")  prompt = "{slip}\\n"  answer = "{text}" }
evaluate teller on orders.eval { metrics: [loss]  generate: greedy(max_new_tokens: ${tokens}, stop: "nothing stops it")  sequence_len: 96 }
`;

group("adapters from folders, beside PEFT", (test) => {
  test(
    "evaluate finds PEFT's loss, generate writes PEFT's answer",
    async () => {
      const folder = mkdtempSync(`${tmpdir()}/peft-given-`);
      try {
        const tokenizer = await openTokenizer(nodeHost, base);
        const prompt = [...tokenizer.prefix, ...tokenizer.encode(`${rows[0]!.slip}\n`)];
        const { adapters } = (await python("given_adapter.py", {
          base,
          out: folder,
          prompt,
          tokens,
          rows: rows.map(({ slip, text }) => {
            const asked = [...tokenizer.prefix, ...tokenizer.encode(`${slip}\n`)];
            return { ids: [...asked, ...tokenizer.continue(text), tokenizer.eos!], from: asked.length };
          }),
        })) as { adapters: Record<string, { loss: number; answer: number[] }> };
        assert.equal(Object.keys(adapters).sort(), ["low", "scaled", "soft"]);
        writeFileSync(`${folder}/rows.jsonl`, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
        writeFileSync(`${folder}/p.peft`, pipeline);
        const given = Object.keys(adapters).map((name) => `--adapter ${name}/`);
        const evaluated = await peftIn(folder, `evaluate p.peft ${given.join(" ")} -o out --device cpu`);
        assert.is(evaluated.code, 0, evaluated.err);
        const { evaluate } = JSON.parse(readFileSync(`${folder}/out/result.json`, "utf8")) as Result;
        assert.equal(
          evaluate.map(({ subject }) => subject),
          ["teller", "low", "scaled", "soft"],
        );
        const plain = evaluate[0]!.metrics.loss!;
        for (const [name, { loss, answer }] of Object.entries(adapters)) {
          const ours = evaluate.find(({ subject }) => subject === name)!.metrics.loss!;
          assert.ok(Math.abs(ours - loss) < 2e-5 * loss, `${name}: ${ours}, PEFT says ${loss}`);
          assert.ok(Math.abs(loss - plain) > 1e-3, `${name} changes something`);
          const asked = await peftIn(folder, `generate p.peft --adapter ${name}/ --device cpu`, `${rows[0]!.slip}\\n\n`);
          const end = answer.indexOf(tokenizer.eos!);
          assert.is(asked.out, `${tokenizer.decode(end < 0 ? answer : answer.slice(0, end)).trim()}\n`, name);
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    { skip: pythonMissing },
  );
});
