// Makes `shape/tokenizer.json` from the generated texts: byte-level BPE in the Hugging Face format, trained here in the plain
// way (Sennrich et al. 2016): count words, merge the most frequent pair, repeat. `npx tsx examples/base/tokenizer.ts`.
// The alphabet is printable ASCII and the newline; any other byte becomes <unk>.

import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { dataFiles, writeAll } from "./generate.ts";

const vocabularySize = 384;
const special = ["<unk>", "<s>", "</s>"] as const;

// How GPT-2's byte-level pre-tokenizer cuts text; for ASCII this is all of it.
const wordPattern = /'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+/g;

// Byte-level BPE writes bytes that are no visible character as a letter from 256 on: space is Ġ (0x120), newline Ċ (0x10a).
const visible = (char: string): string => (char > " " && char <= "~" ? char : String.fromCodePoint(0x100 + char.codePointAt(0)!));
const alphabet = ["\n", " ", ...Array.from({ length: 94 }, (_, i) => String.fromCodePoint(0x21 + i))].map(visible);

interface Word {
  pieces: string[];
  readonly count: number;
}

const countWords = (texts: readonly string[]): Word[] => {
  const counts = new Map<string, number>();
  for (const text of texts) for (const [word] of text.matchAll(wordPattern)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => ({ pieces: [...word].map(visible), count }));
};

/** The most frequent neighbours, ties by text so that the result does not depend on the order of the words. */
const bestPair = (words: readonly Word[]): [string, string] | undefined => {
  const counts = new Map<string, number>();
  for (const { pieces, count } of words)
    for (let i = 1; i < pieces.length; i++) {
      const pair = `${pieces[i - 1]} ${pieces[i]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  let best: string | undefined;
  for (const [pair, count] of counts) {
    const lead = best === undefined ? 1 : count - counts.get(best)!;
    if (lead > 0 || (lead === 0 && pair < best!)) best = pair;
  }
  return best?.split(" ") as [string, string] | undefined;
};

const merged = (pieces: readonly string[], [left, right]: readonly [string, string]): string[] => {
  const out: string[] = [];
  for (const piece of pieces) {
    if (piece === right && out.at(-1) === left) out[out.length - 1] = left + right;
    else out.push(piece);
  }
  return out;
};

/** Merges in order, and with the alphabet the vocabulary. Stops early when every word is one piece. */
export const trainBpe = (texts: readonly string[], size: number): { vocabulary: string[]; merges: [string, string][] } => {
  const words = countWords(texts);
  const vocabulary: string[] = [...special, ...alphabet];
  const merges: [string, string][] = [];
  while (vocabulary.length < size) {
    const pair = bestPair(words);
    if (!pair) break;
    merges.push(pair);
    const whole = pair[0] + pair[1];
    if (!vocabulary.includes(whole)) vocabulary.push(whole);
    for (const word of words) word.pieces = merged(word.pieces, pair);
  }
  return { vocabulary, merges };
};

/** Every string of every row: what the tokenizer is trained on. */
const texts = (): string[] =>
  [...dataFiles().values()].flatMap((file) =>
    file
      .trim()
      .split("\n")
      .flatMap((line) => Object.values(JSON.parse(line) as Record<string, string>)),
  );

/** The tokenizer's files: path from `examples/` → content. */
export const tokenizerFiles = (): Map<string, string> => {
  const { vocabulary, merges } = trainBpe(texts(), vocabularySize);
  const added = special.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const bos = { SpecialToken: { id: "<s>", type_id: 0 } };
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: {
      type: "TemplateProcessing",
      single: [bos, { Sequence: { id: "A", type_id: 0 } }],
      pair: [bos, { Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 0 } }],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary.map((piece, id) => [piece, id])),
      merges,
    },
  };
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    bos_token: "<s>",
    eos_token: "</s>",
    unk_token: "<unk>",
    clean_up_tokenization_spaces: false,
    model_max_length: 256,
  };
  const json = (value: unknown): string => JSON.stringify(value, null, 1) + "\n";
  return new Map([
    ["base/shape/tokenizer.json", json(tokenizer)],
    ["base/shape/tokenizer_config.json", json(config)],
  ]);
};

if (argv[1] === fileURLToPath(import.meta.url)) writeAll(tokenizerFiles());
