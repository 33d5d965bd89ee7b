// A row to its token ids, and where they are learnt.
//
//   prompt given:   prefix + encode(prompt) + continue(answer) + eos
//   no prompt:      prefix + encode(answer) + eos
//   an encoder      start + encode(answer) + eos, and the prompt beside it (sources.ts)
//
// `prefix` is what the tokenizer puts before every text: often bos, for byte-level tokenizers usually nothing. Prompt and answer
// are encoded apart, so training sees exactly the ids that generation starts from; `continue` encodes the answer as text that
// follows other text, so that the ids decode to prompt + answer, character for character, with sentencepiece as with
// byte-level tokenizers: no space is added or lost between them, and none has to be guessed. An answer that should start with
// a space says so: " {reference}".
//
// Labels: the answer's tokens and eos; with loss_on "all", every token but the first.

import type { Data } from "../../spec/job-data.ts";
import type { Tokenizer } from "../tokenizer.ts";
import type { Row } from "./row.ts";
import { encodeSource } from "./sources.ts";
import { fillTemplate, parseTemplate } from "./template.ts";

export interface EncodedRow {
  readonly ids: readonly number[];
  /** Where tokens are predicted, in order, none of them empty and none at 0. */
  readonly spans: readonly (readonly [from: number, to: number])[];
  /** Whether the answer is the empty text. */
  readonly empty: boolean;
  /** What an encoder reads: its ids, and how many they were before they were cut. */
  readonly prompt?: { readonly ids: readonly number[]; readonly length: number };
}

export type RowEncoder = (row: Row) => EncodedRow;

/** The ids a prompt starts generation with. */
export const encodePrompt = (tokenizer: Tokenizer, prompt: string): number[] => [...tokenizer.prefix, ...tokenizer.encode(prompt)];

export interface SourceOptions {
  /** Most tokens of a source. */
  readonly limit: number;
  /** What the decoder begins from. */
  readonly start: number;
}

export const rowEncoder = (
  data: Pick<Data, "prompt" | "answer" | "loss_on">,
  tokenizer: Tokenizer,
  source: SourceOptions | undefined,
): RowEncoder => {
  const prompt = data.prompt === undefined ? undefined : parseTemplate(data.prompt);
  const answer = parseTemplate(data.answer);
  const end = tokenizer.eos === undefined ? [] : [tokenizer.eos];
  const before = promptEncoder(tokenizer);
  return ({ values }) => {
    const asked = prompt ? fillTemplate(prompt, values) : "";
    const front = source ? [source.start] : before(asked);
    const text = fillTemplate(answer, values);
    const ids = [...front, ...(prompt && !source ? tokenizer.continue(text) : tokenizer.encode(text)), ...end];
    const first = Math.max(1, data.loss_on === "all" ? 1 : front.length);
    return {
      ids,
      spans: first < ids.length ? [[first, ids.length]] : [],
      empty: text === "",
      ...(source && { prompt: encodeSource(tokenizer, asked, source.limit) }),
    };
  };
};

/** Several answers to one prompt are common: its ids are kept. */
const promptEncoder = (tokenizer: Tokenizer): ((text: string) => readonly number[]) => {
  const seen = new Map<string, number[]>();
  return (text) => {
    const known = seen.get(text);
    if (known) return known;
    const ids = encodePrompt(tokenizer, text);
    // An answer's first token is predicted from the token before it: with no prompt and no prefix, bos is that token.
    if (ids.length === 0 && tokenizer.bos !== undefined) ids.push(tokenizer.bos);
    if (seen.size < 100_000) seen.set(text, ids);
    return ids;
  };
};
