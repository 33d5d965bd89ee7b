// Number formats: safetensors' names, the job's names, and the conversions between stored bits and f32.
// Narrowing rounds to nearest, ties to even, as torch does; widening is exact. Everything works on bits, so a NaN keeps its
// payload's high part and never turns into a number. Bytes are little-endian, as in safetensors and on every machine Node runs on.

import type { DType } from "../spec/job.ts";

/** safetensors' names with their size in bits, in its own order: a file holds its tensors by this order, last first. */
const bits = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

export type StoredDType = keyof typeof bits;

export const storedDTypes = Object.keys(bits) as StoredDType[];

export const isStoredDType = (name: string): name is StoredDType => Object.hasOwn(bits, name);

export const bitsOf = (dtype: StoredDType): number => bits[dtype];

/** Position in the order that decides where a tensor lies in a file. */
export const rankOf = (dtype: StoredDType): number => storedDTypes.indexOf(dtype);

const stored: Readonly<Record<DType, StoredDType>> = { f32: "F32", f16: "F16", bf16: "BF16", i32: "I32", u32: "U32", u8: "U8" };

export const toStored = (dtype: DType): StoredDType => stored[dtype];

/** Undefined for what no job can hold. */
export const fromStored = (dtype: StoredDType): DType | undefined =>
  (Object.keys(stored) as DType[]).find((name) => stored[name] === dtype);

/** Formats `widen` reads. */
export type FloatDType = "F32" | "F16" | "BF16";

export const isFloat = (dtype: StoredDType): dtype is FloatDType => dtype === "F32" || dtype === "F16" || dtype === "BF16";

/** f32 bits of each of the 65,536 halves: a quarter of a megabyte, made on first use. */
let halves: Uint32Array | undefined;

const halfTable = (): Uint32Array => {
  if (halves) return halves;
  halves = new Uint32Array(65536);
  for (let half = 0; half < 65536; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 31;
    const mantissa = half & 1023;
    if (exponent === 31) halves[half] = sign | 0x7f800000 | (mantissa << 13);
    else if (exponent > 0) halves[half] = sign | ((exponent + 112) << 23) | (mantissa << 13);
    else if (mantissa === 0) halves[half] = sign;
    else {
      const shift = Math.clz32(mantissa) - 21; // makes the leading bit the implicit one
      halves[half] = sign | ((113 - shift) << 23) | (((mantissa << shift) & 1023) << 13);
    }
  }
  return halves;
};

/** Stored bits to f32. `from` holds 16-bit words. Exact. */
export const widen = (from: Uint16Array, dtype: "F16" | "BF16", into: Float32Array): void => {
  const out = new Uint32Array(into.buffer, into.byteOffset, into.length);
  if (dtype === "BF16") for (let i = 0; i < out.length; i++) out[i] = from[i]! << 16;
  else {
    const table = halfTable();
    for (let i = 0; i < out.length; i++) out[i] = table[from[i]!]!;
  }
};

/** The nearest half's bits of one f32's bits; ties to even, overflow to infinity. */
const toHalf = (word: number): number => {
  const sign = (word >>> 16) & 0x8000;
  const rest = word & 0x7fffffff;
  if (rest > 0x7f800000) return sign | 0x7e00 | ((rest >>> 13) & 0x1ff); // NaN, quiet
  if (rest >= 0x47800000) return sign | 0x7c00; // 65536 and up; 65520 to 65536 carries into it below
  if (rest >= 0x38800000) return sign | ((rest - 0x38000000 + 0xfff + ((rest >>> 13) & 1)) >>> 13);
  if (rest < 0x33000000) return sign; // less than half of the least subnormal
  const shift = 126 - (rest >>> 23); // 14 to 24
  const mantissa = (rest & 0x7fffff) | 0x800000;
  const kept = mantissa >>> shift;
  const lost = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (lost > half || (lost === half && (kept & 1) === 1) ? 1 : 0));
};

/** f32 to stored bits: nearest, ties to even; beyond the format's range becomes infinity. `into` holds 16-bit words. */
export const narrow = (from: Float32Array, dtype: "F16" | "BF16", into: Uint16Array): void => {
  const words = new Uint32Array(from.buffer, from.byteOffset, from.length);
  if (dtype === "F16") for (let i = 0; i < words.length; i++) into[i] = toHalf(words[i]!);
  else
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!;
      // A NaN whose set bits are all in the lost half would round to infinity.
      into[i] = (word & 0x7fffffff) > 0x7f800000 ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
    }
};

/** Bytes of a tensor as stored in `dtype`. F32 shares memory with `from`. */
export const toBytes = (from: Float32Array, dtype: FloatDType): Uint8Array => {
  if (dtype === "F32") return new Uint8Array(from.buffer, from.byteOffset, from.byteLength);
  const words = new Uint16Array(from.length);
  narrow(from, dtype, words);
  return new Uint8Array(words.buffer);
};

/** f32 of stored bytes. F32 shares memory with `bytes` when their alignment allows. */
export const fromBytes = (bytes: Uint8Array, dtype: FloatDType): Float32Array => {
  const size = dtype === "F32" ? 4 : 2;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  if (dtype === "F32") return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
  const out = new Float32Array(aligned.byteLength / 2);
  widen(new Uint16Array(aligned.buffer, aligned.byteOffset, out.length), dtype, out);
  return out;
};

/** [.., rows, columns] to [.., columns, rows], in tiles that stay in the cache. */
export const transpose = (from: Float32Array, shape: readonly number[], out = new Float32Array(from.length)): Float32Array => {
  const [rows, columns] = shape.slice(-2) as [number, number];
  for (let at = 0; at < from.length; at += rows * columns) transposeOne(from, at, rows, columns, out);
  return out;
};

const transposeOne = (from: Float32Array, at: number, rows: number, columns: number, out: Float32Array): void => {
  const tile = 32;
  for (let r0 = 0; r0 < rows; r0 += tile) {
    const r1 = Math.min(rows, r0 + tile);
    for (let c0 = 0; c0 < columns; c0 += tile) {
      const c1 = Math.min(columns, c0 + tile);
      for (let c = c0; c < c1; c++) for (let r = r0; r < r1; r++) out[at + c * rows + r] = from[at + r * columns + c]!;
    }
  }
};
