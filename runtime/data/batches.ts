// Examples to batches. An epoch's plan is a function of (examples, size, order, seed, epoch): the same on every machine and
// after every resume, so a position in the data is two numbers, epoch and batch.
//
// Rows of like length share a batch, or padding would be most of the work: the shuffled rows are cut into windows of 64
// batches, each window is sorted by length and cut into batches, and the batches are shuffled again. Every row comes exactly
// once per epoch; one batch may be smaller, and it is the last. Packed rows are all of one length and need no sorting: windows of
// as many examples are packed, and the rows shuffled.

import { stream } from "../draw.ts";
import type { Examples } from "./examples.ts";
import { packBest, packNext } from "./pack.ts";

/** "shuffled" for training, "file" when training declares shuffle: false, "length" (shortest padding) for evaluation. */
export type Order = "shuffled" | "file" | "length";

export interface PlannedBatch {
  /** Which examples, by index. */
  readonly examples: Int32Array;
  /** Of packed rows: how many of the examples each row takes. Absent: one. */
  readonly per?: Int32Array;
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
  /** What an encoder reads for each row, and the tokens of the longest, padded. */
  readonly source?: { readonly ids: readonly (readonly number[])[]; readonly u: number };
  /** [b, t], 0 in the padding, which stands on the right. */
  readonly ids: Int32Array;
  /** [b, t], 0 … t − 1 in every row; from 0 anew in every example of a packed row. */
  readonly positions: Int32Array;
  /** [b, t]: of each token, the last place of its row that is no padding. */
  readonly ends: Int32Array;
  /** Of packed rows [b, t]: the slot of each token in its row, and of the first token of its example. */
  readonly slots?: Int32Array;
  readonly starts?: Int32Array;
  /** [n], ascending: b·t-flat indices of the tokens whose next token is a label. Already shifted. Hidden tokens: their own. For classes: the rows. */
  readonly rows: Int32Array;
  /** [n]: that next token, or what was hidden. */
  readonly targets: Int32Array;
  /** Of rows that are pictures: [b, channels, height, width]. */
  readonly pixels?: Float32Array;
  /** Tokens that are not padding. */
  readonly tokens: number;
}

const window = 64;

export interface EpochOptions {
  /** Rows of a batch. */
  readonly size: number;
  readonly order: Order;
  readonly seed: number;
  readonly epoch: number;
  /** Tokens of a packed row; absent: every example is a row of its own. */
  readonly packed?: number | undefined;
}

/** The batches of one epoch, in the order they are trained on. */
export const planEpoch = (examples: Examples, options: EpochOptions): readonly PlannedBatch[] => {
  const { size, order, seed, epoch } = options;
  if (options.packed !== undefined) return planPacked(examples, { ...options, packed: options.packed });
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
  return batches.map((chosen) => ({ examples: chosen, labels: labelsOf(examples, chosen) }));
};

/** How many labels examples have together. */
export const labelsOf = ({ starts, labels, classes }: Examples, chosen: Int32Array): number => {
  let count = 0;
  if (classes) return chosen.length;
  for (const i of chosen) for (let k = starts[i]!; k < starts[i + 1]!; k++) count += labels[k]!;
  return count;
};

const planPacked = (examples: Examples, options: EpochOptions & { readonly packed: number }): readonly PlannedBatch[] => {
  const { size, order, seed, epoch, packed } = options;
  const { starts, count } = examples;
  const length = (i: number) => starts[i + 1]! - starts[i]!;
  const indices = Int32Array.from({ length: count }, (_, i) => i);
  if (order === "shuffled") shuffle(indices, seed, `rows of epoch ${epoch}`);
  const rows: (readonly number[])[] = [];
  const span = order === "shuffled" ? window * window : count;
  for (let at = 0; at < count; at += span)
    rows.push(...(order === "shuffled" ? packBest : packNext)(indices.subarray(at, at + span), length, packed));
  const place = Int32Array.from(rows, (_, i) => i);
  if (order === "shuffled") shuffle(place, seed, `batches of epoch ${epoch}`);
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, batch) => {
    const chosen = Array.from(place.subarray(batch * size, (batch + 1) * size), (i) => rows[i]!);
    const all = Int32Array.from(chosen.flat());
    return { examples: all, per: Int32Array.from(chosen, (row) => row.length), labels: labelsOf(examples, all) };
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
  const { ids: all, labels, starts, originals } = examples;
  const { per } = planned;
  const b = per?.length ?? planned.examples.length;
  const n = planned.labels;
  const used = new Int32Array(b);
  const rowOf = rowsOf(planned);
  for (const [i, example] of planned.examples.entries()) used[rowOf[i]!]! += starts[example + 1]! - starts[example]!;
  const longest = used.reduce((a, length) => Math.max(a, length), 0);
  const t = Math.min(Math.ceil((virtual + longest) / 8) * 8, virtual + Math.max(limit, longest));
  const ids = new Int32Array(b * t);
  const positions = Int32Array.from({ length: b * t }, (_, i) => i % t);
  const slots = per && positions.slice();
  // Padding sees itself.
  const firsts = per && positions.slice();
  const rows = new Int32Array(n);
  const targets = new Int32Array(n);
  const ends = new Int32Array(b * t);
  let filled = 0;
  let tokens = 0;
  used.fill(virtual);
  for (const [i, example] of planned.examples.entries()) {
    const row = rowOf[i]!;
    const [start, end] = [starts[example]!, starts[example + 1]!];
    const base = row * t + used[row]!;
    ids.set(all.subarray(start, end), base);
    ends.fill(used[row]! + end - start - 1, row * t, (row + 1) * t);
    if (examples.classes) {
      rows[filled] = row;
      targets[filled++] = examples.classes[example]!;
    }
    if (firsts)
      for (let k = 0; k < end - start; k++) {
        positions[base + k] = k;
        firsts[base + k] = used[row]!;
      }
    // A hidden token is told at its own place, any other before it: the first is never a label, so k − 1 stays inside the example.
    for (let k = start; k < end; k++)
      if (labels[k] === 1) {
        rows[filled] = base + k - start - (originals ? 0 : 1);
        targets[filled++] = (originals ?? all)[k]!;
      }
    used[row]! += end - start;
    tokens += end - start;
  }
  const source = examples.sources && sourceOf(planned, examples.sources);
  return {
    b,
    t,
    n,
    ...(source && { source }),
    ...(examples.pictures && { pixels: pixelsOf(planned, examples.pictures) }),
    ids,
    positions,
    ends,
    ...(slots && firsts && { slots, starts: firsts }),
    rows,
    targets,
    tokens,
  };
};

const pixelsOf = ({ examples }: PlannedBatch, { bytes, processor }: NonNullable<Examples["pictures"]>): Float32Array => {
  const size = processor.channels * processor.height * processor.width;
  const out = new Float32Array(examples.length * size);
  for (const [i, example] of examples.entries()) processor.numbers(bytes.subarray(example * size, (example + 1) * size), out, i * size);
  return out;
};

const sourceOf = ({ examples }: PlannedBatch, sources: readonly (readonly number[])[]): Batch["source"] => {
  const ids = Array.from(examples, (example) => sources[example]!);
  return { ids, u: Math.ceil(ids.reduce((most, { length }) => Math.max(most, length), 1) / 8) * 8 };
};

/** The row that each of a batch's examples stands in. */
const rowsOf = ({ examples, per }: PlannedBatch): Int32Array => {
  if (!per) return Int32Array.from(examples, (_, i) => i);
  const rows = new Int32Array(examples.length);
  let at = 0;
  for (const [row, count] of per.entries()) {
    rows.fill(row, at, at + count);
    at += count;
  }
  return rows;
};

/** Share of a plan's tokens that is padding, 0 to 1. */
export const paddingOf = (examples: Examples, plan: readonly PlannedBatch[], limit: number): number => {
  let real = 0;
  let padded = 0;
  for (const planned of plan) {
    const { b, t, tokens } = fillBatch(examples, planned, limit);
    real += tokens;
    padded += b * t;
  }
  return padded === 0 ? 0 : 1 - real / padded;
};
