// Where an encoder reads the prompt and a decoder writes the answer: the source beside what is written.
//
//   source    encode(prompt) with what the tokenizer puts around a text; one too long loses the end of its text

import type { Session } from "../devices/device.ts";
import type { Tokenizer } from "../tokenizer.ts";

/** Ids of a prompt as the encoder reads it. */
export const encodeSource = (tokenizer: Tokenizer, prompt: string, limit: number): { readonly ids: number[]; readonly length: number } => {
  const around = tokenizer.encode("", { special: true });
  const before = tokenizer.prefix.length;
  const text = tokenizer.encode(prompt);
  const kept = text.slice(0, Math.max(0, limit - around.length));
  return { ids: [...around.slice(0, before), ...kept, ...around.slice(before)], length: text.length + around.length };
};

/** Puts sources into the batch, [b, u], padded on the right. */
export const writeSource = async (session: Pick<Session, "write">, sources: readonly (readonly number[])[], u: number): Promise<void> => {
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
