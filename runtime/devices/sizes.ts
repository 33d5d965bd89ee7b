// Sizes of a job at run time: a Dim is a number or a polynomial as text, "4*b*t+n".

import type { Dim, DType } from "../../spec/job.ts";

export const sizeAt = (dim: Dim, dims: Readonly<Record<string, number>>): number => {
  if (typeof dim === "number") return dim;
  let total = 0;
  for (const term of dim.split("+")) {
    let product = 1;
    for (const factor of term.split("*")) {
      const value = /^-?\d+$/.test(factor) ? Number(factor) : dims[factor];
      if (value === undefined) throw new Error(`no size given for ${factor} of ${dim}`);
      product *= value;
    }
    total += product;
  }
  return total;
};

export const shapeAt = (shape: readonly Dim[], dims: Readonly<Record<string, number>>): number[] => shape.map((dim) => sizeAt(dim, dims));

export const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export const arrayTypes = {
  f32: Float32Array,
  i32: Int32Array,
  u32: Uint32Array,
  u8: Uint8Array,
  f16: Uint16Array,
  bf16: Uint16Array,
} as const;

export const bytesPer: Readonly<Record<DType, number>> = { f32: 4, f16: 2, bf16: 2, i32: 4, u32: 4, u8: 1 };
