// One line per prompt: the likeliest id each time, or one drawn. Draws follow from (seed, prompt, token), so an answer does not depend
// on its batch. The filters are transformers': temperature, then top_k, top_p, min_p, each on what the one before left.

import type { Generation } from "../../spec/job.ts";
import { stream } from "../draw.ts";
import { process } from "./logits.ts";
import type { Search, SearchOptions } from "./search.ts";

export const lineSearch = (settings: Generation, { prompt, name, room, stops, ended }: SearchOptions): Search => {
  const written: number[] = [];
  const touched = settings.repetition_penalty !== undefined || settings.no_repeat_ngram_size !== undefined;
  return {
    answer: () => written,
    advance: ([row]) => {
      if (touched) process(row!, [...prompt, ...written], settings);
      const id = settings.kind === "greedy" || settings.temperature === 0 ? likeliest(row!) : drawn(row!, settings, name, written.length);
      if (stops.has(id)) return undefined;
      written.push(id);
      return written.length >= room || ended(written) ? undefined : { from: [0], ids: [id] };
    },
  };
};

const likeliest = (logits: Float32Array): number => {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
};

const drawn = (logits: Float32Array, settings: Generation, name: number, token: number): number => {
  const words = new Uint32Array(4);
  stream(settings.seed ?? 0, `row ${name}`)(token, words);
  const { ids, weights } = candidates(logits, settings);
  let left = (words[0]! / 2 ** 32) * weights.reduce((a, b) => a + b, 0);
  for (const [i, id] of ids.entries()) {
    left -= weights[i]!;
    if (left < 0) return id;
  }
  return ids.at(-1)!;
};

/** What may be drawn, likeliest first, each with its weight (not normed). */
export const candidates = (logits: Float32Array, settings: Generation): { readonly ids: number[]; readonly weights: number[] } => {
  const { temperature = 1, top_k, top_p, min_p } = settings;
  const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]! || a - b);
  let kept = top_k ? order.slice(0, top_k) : order;
  const weights = kept.map((i) => Math.exp((logits[i]! - logits[order[0]!]!) / temperature));
  if (top_p !== undefined && top_p < 1) {
    // The fewest ids whose probabilities reach top_p, the one that crosses it included.
    const total = weights.reduce((a, b) => a + b, 0);
    let mass = 0;
    let count = 0;
    while (count < weights.length && mass < top_p * total) mass += weights[count++]!;
    kept = kept.slice(0, Math.max(1, count));
  }
  if (min_p !== undefined) kept = kept.filter((_, i) => i === 0 || weights[i]! >= min_p * weights[0]!);
  return { ids: kept, weights: weights.slice(0, kept.length) };
};
