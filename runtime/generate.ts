// Prompts in, continuations out. The whole prompt goes through the program once, then one token at a time; what mixes time
// keeps its past in caches. Rows of different length share a batch without a mask: a token sees only cache slots up to its own
// position, and padding beyond a row's end is overwritten before anything may see it.

import type { Generation } from "../spec/job.ts";
import type { Session } from "./devices/device.ts";
import { stream } from "./draw.ts";

export interface GenerateOptions {
  readonly program: string;
  /** Largest sizes of the program: rows b, tokens t, cache slots s. */
  readonly dims: Readonly<Record<string, number>>;
  readonly vocabulary: number;
  readonly settings: Generation;
  /** Ids that end a row. */
  readonly stops: readonly number[];
  readonly done?: (rows: number) => void;
}

/** Ids of each continuation, without the prompt and without the id that ended it. Prompts longer than the program takes keep their end. */
export const generate = async (
  prompts: readonly (readonly number[])[],
  session: Session,
  options: GenerateOptions,
): Promise<number[][]> => {
  const { dims } = options;
  const results: number[][] = new Array(prompts.length);
  // Rows of like length together: the shared part of the cache is then used best.
  const order = prompts.map((_, i) => i).sort((a, b) => prompts[a]!.length - prompts[b]!.length || a - b);
  for (let at = 0; at < order.length; at += dims.b!) {
    const rows = order.slice(at, at + dims.b!);
    const written = await generateBatch(
      rows.map((i) => prompts[i]!),
      rows,
      session,
      options,
    );
    for (const [k, i] of rows.entries()) results[i] = written[k]!;
    options.done?.(Math.min(order.length, at + dims.b!));
  }
  return results;
};

const generateBatch = async (
  all: readonly (readonly number[])[],
  names: readonly number[],
  session: Session,
  options: GenerateOptions,
): Promise<number[][]> => {
  const { program, dims, vocabulary, settings, stops } = options;
  const prompts = all.map((prompt) => prompt.slice(-dims.t!));
  const b = prompts.length;
  const s = dims.s!;
  const longest = Math.max(...prompts.map((prompt) => prompt.length));
  const t = Math.min(Math.ceil(longest / 8) * 8, dims.t!);
  const ids = new Int32Array(b * t);
  const positions = new Int32Array(b * t);
  const rows = new Int32Array(b);
  for (const [row, prompt] of prompts.entries()) {
    ids.set(prompt, row * t);
    for (let i = 0; i < t; i++) positions[row * t + i] = i;
    rows[row] = row * t + prompt.length - 1;
  }
  const written: number[][] = prompts.map(() => []);
  const ended = new Array<boolean>(b).fill(false);
  const run = async (length: number): Promise<Float32Array> => {
    await session.run(program, { b, t: length, n: b, s });
    return (await session.read("logits", program)) as Float32Array;
  };
  await session.write("ids", ids);
  await session.write("positions", positions);
  await session.write("rows", rows);
  let logits = await run(t);
  const next = new Int32Array(b);
  const where = new Int32Array(b);
  await session.write(
    "rows",
    Int32Array.from({ length: b }, (_, row) => row),
  );
  for (let k = 0; k < settings.max_new_tokens; k++) {
    for (let row = 0; row < b; row++) {
      const position = prompts[row]!.length + k;
      if (!ended[row]) {
        const id = choose(logits.subarray(row * vocabulary, (row + 1) * vocabulary), settings, names[row]!, k);
        if (stops.includes(id)) ended[row] = true;
        else written[row]!.push(id);
        next[row] = id;
        if (position + 1 > s) ended[row] = true;
      }
      where[row] = Math.min(position, s - 1);
    }
    if (ended.every(Boolean) || k === settings.max_new_tokens - 1) break;
    await session.write("ids", next);
    await session.write("positions", where);
    logits = await run(1);
  }
  return written;
};

/** The next id: the most likely, or drawn with (seed, row, token) so that a row does not depend on its batch. */
const choose = (logits: Float32Array, settings: Generation, row: number, token: number): number => {
  if (settings.kind === "greedy" || settings.temperature === 0) {
    let best = 0;
    for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
    return best;
  }
  const temperature = settings.temperature ?? 1;
  const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]! || a - b);
  let kept = settings.top_k ? order.slice(0, settings.top_k) : order;
  const weights = kept.map((i) => Math.exp((logits[i]! - logits[order[0]!]!) / temperature));
  let total = weights.reduce((a, b) => a + b, 0);
  if (settings.top_p !== undefined) {
    // The fewest ids whose probabilities reach top_p, the one that crosses it included.
    let mass = 0;
    let count = 0;
    while (count < weights.length && mass < settings.top_p * total) mass += weights[count++]!;
    kept = kept.slice(0, Math.max(1, count));
    total = weights.slice(0, kept.length).reduce((a, b) => a + b, 0);
  }
  const words = new Uint32Array(4);
  stream(settings.seed ?? 0, `row ${row}`)(token, words);
  let left = (words[0]! / 2 ** 32) * total;
  for (const [i, id] of kept.entries()) {
    left -= weights[i]!;
    if (left < 0) return id;
  }
  return kept.at(-1)!;
};
