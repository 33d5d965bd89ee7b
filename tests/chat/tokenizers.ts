// Tokenizers for chat templates: the quickstart's (byte-level) and one like sentencepiece, each with the special tokens of a template added.

import { readFileSync } from "node:fs";
import { decoder, normalizer, specialToken } from "../sentencepiece.ts";

type Json = Record<string, unknown>;

/** The quickstart's own, whose tokens are bytes and their merges. */
export const byteLevel = (special: readonly string[]): Json => {
  const tokenizer = JSON.parse(readFileSync(new URL("../../examples/quickstart/base/tokenizer.json", import.meta.url), "utf8")) as {
    model: { vocab: Record<string, number> };
    added_tokens: Json[];
  };
  const there = new Set(tokenizer.added_tokens.map(({ content }) => content));
  const next = 1 + Math.max(...Object.values(tokenizer.model.vocab), ...tokenizer.added_tokens.map(({ id }) => Number(id)));
  const more = special
    .filter((token) => !there.has(token))
    .map((token, i) => specialToken(token, tokenizer.model.vocab[token] ?? next + i));
  return { ...tokenizer, added_tokens: [...tokenizer.added_tokens, ...more] };
};

/** Words that begin with ▁, bytes for what has no token, and a ▁ put before every text. */
export const pieces = (special: readonly string[]): Json => {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
  const letters = Array.from("▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,?![]/");
  const merges = ["▁ t", "▁t h", "▁th e", "t h", "e l", "l o", "el lo", "▁ ▁", "▁ a", "a n", "an d"];
  const merged = merges.map((pair) => pair.replace(" ", ""));
  const vocab = Object.fromEntries([...new Set(["<unk>", ...special, ...bytes, ...letters, ...merged])].map((token, i) => [token, i]));
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: ["<unk>", ...special].map((token) => specialToken(token, vocab[token]!)),
    normalizer,
    pre_tokenizer: null,
    post_processor: null,
    decoder,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      vocab,
      merges,
    },
  };
};
