// Where an encoder reads the prompt and a decoder writes the answer: rows -> examples with a source beside what is written.
//
//   source    encode(prompt) with what the tokenizer puts around a text; one too long loses the end of its text
//   written   start + encode(answer) + eos, all but the start to be predicted

import type { Data } from "../../spec/job.ts";
import type { Session } from "../devices/device.ts";
import type { Tokenizer } from "../tokenizer.ts";
import type { Row } from "./row.ts";
import { fillTemplate, parseTemplate } from "./template.ts";

export interface SourceOptions {
  /** Most tokens of a source. */
  readonly limit: number;
  /** What the decoder begins from. */
  readonly start: number;
}

/** Ids of a prompt as the encoder reads it. */
export const encodeSource = (tokenizer: Tokenizer, prompt: string, limit: number): { readonly ids: number[]; readonly length: number } => {
  const around = tokenizer.encode("", { special: true });
  const before = tokenizer.prefix.length;
  const text = tokenizer.encode(prompt);
  const kept = text.slice(0, Math.max(0, limit - around.length));
  return { ids: [...around.slice(0, before), ...kept, ...around.slice(before)], length: text.length + around.length };
};

/** Every row's source, and how many lost their end. */
export const encodeSources = (
  rows: readonly Row[],
  data: Pick<Data, "prompt">,
  tokenizer: Tokenizer,
  { limit }: SourceOptions,
): { readonly sources: readonly (readonly number[])[]; readonly truncated: number; readonly longest: number } => {
  const prompt = parseTemplate(data.prompt ?? "");
  const encoded = rows.map((row) => encodeSource(tokenizer, fillTemplate(prompt, row.values), limit));
  return {
    sources: encoded.map(({ ids }) => ids),
    truncated: encoded.filter(({ length }) => length > limit).length,
    longest: encoded.reduce((most, { length }) => Math.max(most, length), 0),
  };
};

/** Puts sources into the batch, [b, u], padded on the right. */
export const writeSource = async (session: Session, sources: readonly (readonly number[])[], u: number): Promise<void> => {
  const ids = new Int32Array(sources.length * u);
  const ends = new Int32Array(sources.length * u);
  for (const [row, source] of sources.entries()) {
    ids.set(source.slice(0, u), row * u);
    ends.fill(Math.min(source.length, u) - 1, row * u, (row + 1) * u);
  }
  await session.write("source.ids", ids);
  await session.write(
    "source.positions",
    Int32Array.from({ length: ids.length }, (_, i) => i % u),
  );
  await session.write("source.ends", ends);
};
