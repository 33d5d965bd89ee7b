// What changes logits before an id is chosen, on one row: a penalty on ids that were there, and ids that would repeat an n-gram.
// Meanings are those of transformers' processors; both see the prompt and what was written.

import type { Generation } from "../../spec/job.ts";

/** Changes `logits` in place. `ids` is everything before the next id. */
export const process = (logits: Float32Array | Float64Array, ids: readonly number[], settings: Generation): void => {
  const { repetition_penalty: penalty, no_repeat_ngram_size: size } = settings;
  if (penalty !== undefined) for (const id of new Set(ids)) logits[id] = logits[id]! < 0 ? logits[id]! * penalty : logits[id]! / penalty;
  if (size !== undefined && ids.length + 1 >= size) for (const id of repeating(ids, size)) logits[id] = Number.NEGATIVE_INFINITY;
};

/** Ids after which the last `size` ids would be an n-gram that is there already. */
const repeating = (ids: readonly number[], size: number): number[] => {
  const found: number[] = [];
  const tail = ids.length - (size - 1);
  for (let at = 0; at + size <= ids.length; at++) {
    let same = true;
    for (let k = 0; same && k < size - 1; k++) same = ids[at + k] === ids[tail + k];
    if (same) found.push(ids[at + size - 1]!);
  }
  return found;
};

/** log softmax in double precision. */
export const logProbabilities = (logits: Float32Array): Float64Array => {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) if (logits[i]! > top) top = logits[i]!;
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += Math.exp(logits[i]! - top);
  const shift = top + Math.log(total);
  const result = new Float64Array(logits.length);
  for (let i = 0; i < logits.length; i++) result[i] = logits[i]! - shift;
  return result;
};
