import { readFileSync } from "node:fs";
import { Tokenizer as Engine } from "@huggingface/tokenizers";
import { memoryHost } from "../../runtime/memory-host.ts";
import { nodeHost } from "../../runtime/node-host.ts";
import { makeTokenizer, openTokenizer, type TokenizerFiles } from "../../runtime/tokenizer.ts";
import { assert, group } from "../harness.ts";
import { decoder, normalizer, specialToken } from "../sentencepiece.ts";
import { codes } from "./caught.ts";
import { shared, without } from "./shared.ts";

const json = (path: string) => JSON.parse(readFileSync(shared(path), "utf8"));

/** A sentencepiece-like BPE over few letters, bytes as a fallback, bos before every text. */
const pieces = (part: Partial<TokenizerFiles> = {}): TokenizerFiles => {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
  const vocab = Object.fromEntries(
    ["<unk>", "<s>", "</s>", ...bytes, "▁", "t", "h", "e", "c", "a", "▁t", "th", "▁th", "▁the", "▁▁"].map((token, i) => [token, i]),
  );
  const merges = ["▁ t", "▁t h", "▁th e", "t h", "▁ ▁"];
  const added = ["<unk>", "<s>", "</s>"].map(specialToken);
  return {
    tokenizer: {
      added_tokens: added,
      normalizer,
      pre_tokenizer: null,
      post_processor: {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
        pair: [],
        special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
      },
      decoder,
      model: { type: "BPE", vocab, merges, unk_token: "<unk>", fuse_unk: true, byte_fallback: true },
    },
    config: { bos_token: "<s>", eos_token: { content: "</s>" } },
    ...part,
  };
};

const texts = ["the cat", " the cat", "the  the", "", " ", "é 🦙", "the\nthe", "tea."];

group("tokenizer", (test) => {
  test("bos, eos and the prefix are found; special tokens come only when asked for", () => {
    const t = makeTokenizer(pieces(), "t");
    assert.equal([t.bos, t.eos, [...t.prefix], [...t.stops]], [1, 2, [1], [2]]);
    assert.equal(t.encode("the", { special: true }), [1, ...t.encode("the")]);
    assert.is(t.decode([1, ...t.encode("the"), 2]), "the");
    assert.is(t.decode([1, 2], { special: true }), "<s></s>");
  });

  test("text that follows text: any two parts decode to themselves joined, no space added or lost", () => {
    const t = makeTokenizer(pieces(), "t");
    for (const a of texts.filter((text) => text !== ""))
      for (const b of texts) assert.is(t.decode([...t.encode(a), ...t.continue(b)]), a + b, JSON.stringify([a, b]));
  });

  test("the empty list and ids without a token decode to nothing", () => {
    const t = makeTokenizer(pieces(), "t");
    assert.is(t.decode([]), "");
    assert.is(t.decode([100_000]), "");
    assert.is(t.size, Object.keys((pieces().tokenizer.model as { vocab: object }).vocab).length);
  });

  test("spaces before punctuation stay", () => {
    const t = makeTokenizer(pieces(), "t");
    assert.is(t.decode(t.encode("the cat . the ?")), "the cat . the ?");
  });

  test("add_bos_token and add_eos_token overrule the post-processor", () => {
    const config = { bos_token: "<s>", eos_token: "</s>" };
    assert.equal([...makeTokenizer(pieces({ config: { ...config, add_bos_token: false } }), "t").prefix], []);
    const plain = { ...pieces().tokenizer, post_processor: null };
    assert.equal([...makeTokenizer(pieces({ tokenizer: plain, config }), "t").prefix], []);
    const both = makeTokenizer(pieces({ tokenizer: plain, config: { ...config, add_bos_token: true, add_eos_token: true } }), "t");
    assert.equal(both.encode("the", { special: true }), [1, ...both.encode("the"), 2]);
  });

  test("without names, ids come from generation_config.json, then config.json; stops are all of them", () => {
    const from = (generation: object | undefined, model: object | undefined) =>
      makeTokenizer(pieces({ config: {}, generation: generation as never, model: model as never }), "t");
    assert.is(from({ eos_token_id: [7, 8] }, { eos_token_id: 9 }).eos, 7);
    assert.equal([...from({ eos_token_id: [7, 8] }, undefined).stops], [7, 8]);
    assert.is(from(undefined, { eos_token_id: 9, bos_token_id: 4 }).eos, 9);
    assert.is(from(undefined, undefined).eos, undefined);
  });

  test("cutting at ▁ for speed changes no id, and is not done when a token has a ▁ inside", () => {
    const files = pieces();
    const engine = new Engine(files.tokenizer, {});
    const t = makeTokenizer(files, "t");
    for (const text of texts.filter((x) => x !== ""))
      assert.equal(t.encode(text), engine.encode(text, { add_special_tokens: false }).ids, text);
    // With "e▁t" in the vocabulary a merge crosses the word: cutting would lose it.
    const model = files.tokenizer.model as { vocab: Record<string, number>; merges: string[] };
    const crossing = pieces({
      tokenizer: { ...files.tokenizer, model: { ...model, vocab: { ...model.vocab, "e▁": 300, "e▁t": 301 }, merges: ["e ▁", "e▁ t"] } },
    });
    assert.ok(makeTokenizer(crossing, "t").encode("e t").includes(301));
  });

  test("a part that is not known, and a file that is not there, are diagnostics", async () => {
    assert.equal(await codes(() => makeTokenizer({ tokenizer: { ...pieces().tokenizer, decoder: { type: "Telepathy" } } }, "t")), [
      "PEFT0550",
    ]);
    assert.equal(await codes(() => makeTokenizer({ tokenizer: {} }, "t")), ["PEFT0550"]);
    const words = { type: "WordLevel", vocab: { "<unk>": 0, word: 1 }, unk_token: "<unk>" };
    assert.equal(await codes(() => makeTokenizer({ tokenizer: { ...pieces().tokenizer, model: words } }, "t")), ["PEFT0550"]);
    const host = memoryHost();
    assert.equal(await codes(() => openTokenizer(host, "/")), ["PEFT0500"]);
  });

  test(
    "real: GPT-2 gives llama.cpp's ids for its 47 hard texts, and decodes each back to itself",
    () => {
      const t = makeTokenizer({ tokenizer: json("tokenizers/gpt2/tokenizer.json") }, "gpt2");
      const inputs = readFileSync(shared("tokenizers/encoded/ggml-vocab-gpt-2.gguf.inp"), "utf8").split("\n__ggml_vocab_test__\n");
      const wanted = readFileSync(shared("tokenizers/encoded/ggml-vocab-gpt-2.gguf.out"), "utf8").split("\n");
      assert.is(inputs.length, 47);
      inputs.forEach((text, i) => {
        const ids = t.encode(text);
        assert.is(ids.join(" "), wanted[i]!.trim(), JSON.stringify(text));
        assert.is(t.decode(ids), text);
        if (text !== "") assert.is(t.decode([...t.encode("Hello ||"), ...t.continue(text)]), `Hello ||${text}`);
      });
    },
    { skip: without("tokenizers") },
  );

  for (const [name, file] of [
    ["gpt2", "gpt2_encoded_tokens"],
    ["t5", "t5_base_encoded"],
    ["bert", "bert_uncased_encoded"],
  ] as const)
    test(
      `real: ${name} gives the reference ids of a French text`,
      () => {
        const t = makeTokenizer({ tokenizer: json(`tokenizers/${name}/tokenizer.json`) }, name);
        const expected = json(`tokenizers/encoded/${file}.json`) as { text: string; token_ids: number[] };
        const special = name !== "gpt2";
        assert.equal(t.encode(expected.text, { special }), expected.token_ids);
      },
      { skip: without("tokenizers") },
    );

  test(
    "real: stories260k gives the ids another implementation gave, and its text",
    async () => {
      const t = await openTokenizer(nodeHost, shared("models/stories260k"));
      const { input_ids } = json("models/stories260k/expected.json") as { input_ids: number[] };
      const text = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park.";
      assert.equal(t.encode(text, { special: true }), input_ids);
      assert.is(t.decode(input_ids), text);
      assert.equal([t.bos, t.eos, t.size], [1, 2, 512]);
    },
    { skip: without("models") },
  );

  test(
    "real: on E2E, cut and uncut stories260k encodings are equal",
    async () => {
      const t = await openTokenizer(nodeHost, shared("models/stories260k"));
      const engine = new Engine(json("models/stories260k/tokenizer.json"), {});
      const lines = readFileSync(shared("e2e/valid.jsonl"), "utf8").split("\n").slice(0, 300);
      for (const line of lines) assert.equal(t.encode(line), engine.encode(line, { add_special_tokens: false }).ids);
    },
    { skip: without("models") ?? without("e2e") },
  );
});
