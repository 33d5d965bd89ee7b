// The examples: what is committed is what their scripts make, byte for byte, and both tokenizer libraries read it alike.

import { existsSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Tokenizer } from "@huggingface/tokenizers";
import { dataFiles } from "../examples/base/generate.ts";
import { tokenizerFiles } from "../examples/base/tokenizer.ts";
import { random } from "../examples/base/world.ts";
import { assert, group } from "./harness.ts";
import { python, pythonMissing } from "./parity/python.ts";

const examples = fileURLToPath(new URL("../examples/", import.meta.url));
const read = (path: string): string => readFileSync(examples + path, "utf8");
const json = (path: string): Record<string, unknown> => JSON.parse(read(path)) as Record<string, unknown>;

const base = "quickstart/base/";
const untrained = existsSync(`${examples}${base}config.json`) ? undefined : "examples/quickstart/base is not trained yet";

group("examples", (test) => {
  test("the generator's numbers do not depend on the machine", () => {
    const next = random(1);
    assert.equal(
      [next(), next(), next()].map((x) => Math.floor(x * 2 ** 32)),
      [2693262067, 11749833, 2265367787],
    );
  });

  test("the committed data is what the generator writes, under 1 MB", () => {
    let bytes = 0;
    for (const [path, content] of dataFiles()) {
      assert.ok(read(path) === content, `${path} differs: run npx tsx examples/base/generate.ts`);
      bytes += Buffer.byteLength(content);
    }
    assert.ok(bytes < 1e6, `${bytes} bytes`);
  });

  test("no eval row is a training row, and no order is another's answer", () => {
    const files = dataFiles();
    const lines = (path: string): string[] => files.get(path)!.trim().split("\n");
    for (const [train, evaluated] of [
      ["base/stories.train.jsonl", "quickstart/stories.eval.jsonl"],
      ["quickstart/orders.train.jsonl", "quickstart/orders.eval.jsonl"],
    ] as const) {
      const known = new Set(lines(train));
      assert.is(lines(evaluated).filter((line) => known.has(line)).length, 0, evaluated);
    }
    const orders = [...lines("quickstart/orders.train.jsonl"), ...lines("quickstart/orders.eval.jsonl")];
    const slips = new Map<string, string>();
    for (const line of orders) {
      const { slip, text } = JSON.parse(line) as { slip: string; text: string };
      assert.is(slips.get(slip) ?? text, text, slip);
      slips.set(slip, text);
    }
  });

  test("the committed tokenizer is what the script makes, and covers config.json's vocabulary", () => {
    for (const [path, content] of tokenizerFiles())
      assert.ok(read(path) === content, `${path} differs: run npx tsx examples/base/tokenizer.ts`);
    const { model } = JSON.parse(read("base/shape/tokenizer.json")) as { model: { vocab: Record<string, number> } };
    assert.is(Object.keys(model.vocab).length, json("base/shape/config.json").vocab_size);
  });

  test("every row has words of few pieces and no unknown", () => {
    const tokenizer = new Tokenizer(json("base/shape/tokenizer.json"), json("base/shape/tokenizer_config.json"));
    for (const content of dataFiles().values())
      for (const line of content.trim().split("\n").slice(0, 100))
        for (const text of Object.values(JSON.parse(line) as Record<string, string>)) {
          const { ids } = tokenizer.encode(text, { add_special_tokens: false });
          assert.not(ids.includes(0), text);
          assert.is(tokenizer.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false }), text);
          assert.ok(ids.length <= 1.6 * text.split(/(?=[ .:|])/).length, `${ids.length} ids for: ${text}`);
        }
  });

  test(
    "JavaScript and Python tokenize alike",
    async () => {
      const folder = `${examples}base/shape/`;
      const rows = [...dataFiles().values()].flatMap((content) => content.trim().split("\n").slice(0, 50));
      const texts = [
        ...rows.flatMap((line) => Object.values(JSON.parse(line) as Record<string, string>)),
        ...[
          "",
          " ",
          "\n\n",
          "  two  spaces ",
          "it's don't WE'LL",
          "naïve café — 12 €",
          "tab\tand 3.14, (x) [y] {z} ~`",
          "</s>Ada<s> <unk>",
        ],
      ];
      const tokenizer = new Tokenizer(json("base/shape/tokenizer.json"), json("base/shape/tokenizer_config.json"));
      const theirs = (await python("tokens.py", { tokenizer: `${folder}tokenizer.json`, texts })) as { ids: number[][]; bare: number[][] };
      texts.forEach((text, i) => {
        assert.equal(tokenizer.encode(text).ids, theirs.ids[i], JSON.stringify(text));
        assert.equal(tokenizer.encode(text, { add_special_tokens: false }).ids, theirs.bare[i], JSON.stringify(text));
      });
    },
    { skip: pythonMissing },
  );

  test(
    "the committed base has the shape it was trained with, in at most 4 MB",
    () => {
      assert.ok(statSync(`${examples}${base}model.safetensors`).size <= 4e6);
      assert.is(read(`${base}tokenizer.json`), read("base/shape/tokenizer.json"));
      const [shape, trained] = [json("base/shape/config.json"), json(`${base}config.json`)];
      for (const key of [
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_key_value_heads",
        "vocab_size",
        "tie_word_embeddings",
      ])
        assert.equal(trained[key], shape[key], key);
    },
    { skip: untrained },
  );
});
