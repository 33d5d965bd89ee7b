// What host operations take and give: row-major arrays with shapes. Their arithmetic is in double precision, their results are
// rounded once to what the job stores.

import type { Tokenizer } from "../tokenizer.ts";

export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

export type HostAttrs = Readonly<Record<string, number | string | boolean | readonly number[]>>;

/** What random numbers follow from, and what reads text. */
export interface HostContext {
  /** The base's; for operations on text. */
  readonly tokenizer?: Tokenizer | undefined;
  readonly seed: number;
  /** Name of the value. */
  readonly place: string;
}

/** Results in the order of the op's outputs. Deterministic: the same numbers in, the same numbers out, on every machine. */
export type HostOp = (inputs: readonly HostTensor[], attrs: HostAttrs, context: HostContext) => readonly (Float32Array | Int32Array)[];

/** A matrix as columns, each contiguous. */
export type Columns = readonly Float64Array[];

export const columnsOf = ({ shape: [rows = 0, columns = 0], data }: HostTensor): Float64Array[] =>
  Array.from({ length: columns }, (_, j) => Float64Array.from({ length: rows }, (_, i) => data[i * columns + j]!));

/** Columns as a row-major array. */
export const fromColumns = (columns: Columns): Float32Array => {
  const rows = columns[0]?.length ?? 0;
  const out = new Float32Array(rows * columns.length);
  for (const [j, column] of columns.entries()) for (let i = 0; i < rows; i++) out[i * columns.length + j] = column[i]!;
  return out;
};

export const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/** a += factor · b */
export const addTo = (a: Float64Array, factor: number, b: Float64Array): void => {
  for (let i = 0; i < a.length; i++) a[i]! += factor * b[i]!;
};

export const length = (a: Float64Array): number => Math.sqrt(dot(a, a));

/** Takes the span of orthonormal vectors out, twice, so that rounding leaves nothing of it. */
export const orthogonalise = (a: Float64Array, against: Columns): void => {
  for (let pass = 0; pass < 2; pass++) for (const b of against) addTo(a, -dot(a, b), b);
};
