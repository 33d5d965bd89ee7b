// Examples to batches. An epoch's plan is a function of (examples, size, order, seed, epoch): the same on every machine and
// after every resume, so a position in the data is two numbers, epoch and batch.
//
// Rows of like length share a batch, or padding would be most of the work: the shuffled rows are cut into windows of 64
// batches, each window is sorted by length and cut into batches, and the batches are shuffled again. Every row comes exactly
// once per epoch; one batch may be smaller, and it is the last.

import { stream } from "../draw.ts";
import type { Examples } from "./examples.ts";

/** "shuffled" for training, "file" when training declares shuffle: false, "length" (shortest padding) for evaluation. */
export type Order = "shuffled" | "file" | "length";

export interface PlannedBatch {
  /** Which examples, by index. */
  readonly examples: Int32Array;
  /** How many labels they have together: the n of the filled batch. */
  readonly labels: number;
}

export interface Batch {
  /** Rows. */
  readonly b: number;
  /** Tokens per row, padded: a multiple of 8, or the limit. */
  readonly t: number;
  /** Labels. */
  readonly n: number;
  /** [b, t], 0 in the padding, which stands on the right. */
  readonly ids: Int32Array;
  /** [b, t], 0 … t − 1 in every row. */
  readonly positions: Int32Array;
  /** [n], ascending: b·t-flat indices of the tokens whose next token is a label. Already shifted. */
  readonly rows: Int32Array;
  /** [n]: that next token. */
  readonly targets: Int32Array;
  /** Tokens that are not padding. */
  readonly tokens: number;
}

const window = 64;

/** The batches of one epoch, in the order they are trained on. */
export const planEpoch = (
  examples: Examples,
  options: { readonly size: number; readonly order: Order; readonly seed: number; readonly epoch: number },
): readonly PlannedBatch[] => {
  const { size, order, seed, epoch } = options;
  const { starts, count } = examples;
  const length = (i: number) => starts[i + 1]! - starts[i]!;
  const indices = Int32Array.from({ length: count }, (_, i) => i);
  if (order === "shuffled") shuffle(indices, seed, `rows of epoch ${epoch}`);
  const span = order === "shuffled" ? window * size : order === "length" ? count : 0;
  // Array.sort is stable, typed arrays' too: equal lengths keep the shuffled order.
  for (let at = 0; span > 0 && at < count; at += span) indices.subarray(at, at + span).sort((a, b) => length(a) - length(b));
  const batches: Int32Array[] = [];
  for (let at = 0; at < count; at += size) batches.push(indices.slice(at, at + size));
  if (order === "shuffled") {
    const whole = Int32Array.from({ length: Math.floor(count / size) }, (_, i) => i);
    shuffle(whole, seed, `batches of epoch ${epoch}`);
    const partial = batches.slice(whole.length);
    batches.splice(0, batches.length, ...Array.from(whole, (i) => batches[i]!), ...partial);
  }
  return batches.map((chosen) => {
    let labels = 0;
    for (const i of chosen) for (let k = starts[i]!; k < starts[i + 1]!; k++) labels += examples.labels[k]!;
    return { examples: chosen, labels };
  });
};

/** Fisher–Yates with 32 random bits per step; the bias of the modulo is below 1e-3 for a million rows and repeats exactly. */
const shuffle = (values: Int32Array, seed: number, name: string): void => {
  const block = stream(seed, name);
  const words = new Uint32Array(4);
  for (let i = values.length - 1; i > 0; i--) {
    if (((values.length - 1 - i) & 3) === 0) block((values.length - 1 - i) >> 2, words);
    const j = Math.floor((words[(values.length - 1 - i) & 3]! / 4294967296) * (i + 1));
    const kept = values[i]!;
    values[i] = values[j]!;
    values[j] = kept;
  }
};

/**
 * Fills a planned batch. `limit` is sequence_len: t is never above it and the `virtual` slots that stand in front of each row (id 0,
 * positions from 0). The arrays are fresh.
 */
export const fillBatch = (examples: Examples, planned: PlannedBatch, limit: number, virtual = 0): Batch => {
  const { ids: all, labels, starts } = examples;
  const b = planned.examples.length;
  const n = planned.labels;
  let longest = 0;
  for (const i of planned.examples) longest = Math.max(longest, starts[i + 1]! - starts[i]!);
  const t = Math.min(Math.ceil((virtual + longest) / 8) * 8, virtual + Math.max(limit, longest));
  const ids = new Int32Array(b * t);
  const positions = new Int32Array(b * t);
  const rows = new Int32Array(n);
  const targets = new Int32Array(n);
  for (let i = 0; i < t; i++) positions[i] = i;
  let filled = 0;
  let tokens = 0;
  for (let row = 0; row < b; row++) {
    const start = starts[planned.examples[row]!]!;
    const end = starts[planned.examples[row]! + 1]!;
    const base = row * t + virtual;
    ids.set(all.subarray(start, end), base);
    if (row > 0) positions.copyWithin(row * t, 0, t);
    // The first token is never a label, so k − 1 stays inside the row.
    for (let k = start + 1; k < end; k++)
      if (labels[k] === 1) {
        rows[filled] = base + k - start - 1;
        targets[filled++] = all[k]!;
      }
    tokens += end - start;
  }
  return { b, t, n, ids, positions, rows, targets, tokens };
};

/** Share of a plan's tokens that is padding, 0 to 1. */
export const paddingOf = (examples: Examples, plan: readonly PlannedBatch[], limit: number): number => {
  let real = 0;
  let padded = 0;
  for (const { examples: chosen } of plan) {
    let longest = 0;
    for (const i of chosen) {
      const length = examples.starts[i + 1]! - examples.starts[i]!;
      real += length;
      longest = Math.max(longest, length);
    }
    padded += chosen.length * Math.min(Math.ceil(longest / 8) * 8, Math.max(limit, longest));
  }
  return padded === 0 ? 0 : 1 - real / padded;
};
