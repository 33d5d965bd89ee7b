// What a dtype is in WGSL: how many bytes it has in a buffer, its type in a register, and how an element is loaded.
// Core WGSL has no 16-bit or 8-bit storage, so those lie in u32 words; bf16 is the upper half of an f32.

import type { DType, TensorType } from "../graph/graph.ts";
import { type Dim, multiply, product } from "../values/dims.ts";

export const bytesOf: Readonly<Record<DType, number>> = { f32: 4, f16: 2, bf16: 2, i32: 4, u32: 4, u8: 1 };

export const byteCount = (type: TensorType): Dim => multiply(product(type.shape), bytesOf[type.dtype]);

/** Elements in one 32-bit word. */
export const perWord = (dtype: DType): number => 4 / bytesOf[dtype];

/** Type of one element in a register. */
export const registerOf = (dtype: DType): "f32" | "i32" | "u32" =>
  dtype === "i32" ? "i32" : dtype === "u32" || dtype === "u8" ? "u32" : "f32";

/** Element type of the buffer; four elements at once when `four`. */
export const storedAs = (dtype: DType, four: boolean): string => {
  const word = dtype === "f32" || dtype === "i32" ? dtype : "u32";
  const words = four ? 4 / perWord(dtype) : 1;
  return words === 1 ? word : `vec${words}<${word}>`;
};

/** The element at `i`, from a buffer laid out as `storedAs(dtype, four)`. */
export const loadOne = (buffer: string, dtype: DType, four: boolean, i: string): string => {
  const per = perWord(dtype);
  const words = 4 / per;
  const word = !four
    ? per === 1
      ? `${buffer}[${i}]`
      : `${buffer}[${i} / ${per}u]`
    : words === 1
      ? `${buffer}[${i} >> 2u]`
      : `${buffer}[${i} >> 2u][(${i} & 3u) / ${per}u]`;
  if (dtype === "f16") return `unpack2x16float(${word})[${i} & 1u]`;
  if (dtype === "bf16") return `bitcast<f32>(select(${word} << 16u, ${word} & 0xffff0000u, (${i} & 1u) == 1u))`;
  if (dtype === "u8") return `((${word} >> ((${i} & 3u) * 8u)) & 255u)`;
  return word;
};

/** Four elements from position 4·i, as a vector of registers. */
export const loadFour = (buffer: string, dtype: DType, i: string): string => {
  if (dtype === "f16") return `vec4<f32>(unpack2x16float(${buffer}[${i}].x), unpack2x16float(${buffer}[${i}].y))`;
  if (dtype === "bf16")
    return `bitcast<vec4<f32>>(vec4<u32>(${buffer}[${i}].x << 16u, ${buffer}[${i}].x & 0xffff0000u, ${buffer}[${i}].y << 16u, ${buffer}[${i}].y & 0xffff0000u))`;
  if (dtype === "u8") return `((vec4<u32>(${buffer}[${i}]) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u))`;
  return `${buffer}[${i}]`;
};

/** One word from the elements it holds. */
export const packWord = (dtype: DType, values: readonly string[]): string => {
  if (dtype === "f16") return `pack2x16float(vec2<f32>(${values.join(", ")}))`;
  if (dtype === "bf16") return `(bf16_(${values[0]}) | (bf16_(${values[1]}) << 16u))`;
  if (dtype === "u8") return values.map((v, i) => `((${v} & 255u) << ${8 * i}u)`).join(" | ");
  return values[0]!;
};

/** Rounds to nearest, ties to even; a NaN keeps a set mantissa bit. */
export const packedFunctions = `fn bf16_(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return select((bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u, (bits >> 16u) | 64u, nan);
}`;

/** A number as WGSL text of a register type. Past the largest f32 it is that: WGSL has no infinite literals. */
export const literal = (value: number, dtype: DType): string => {
  const register = registerOf(dtype);
  if (register === "i32") return value < 0 ? `(${Math.trunc(value)}i)` : `${Math.trunc(value)}i`;
  if (register === "u32") return `${Math.trunc(value)}u`;
  const largest = 3.4028234663852886e38;
  const clamped = Math.fround(Math.max(-largest, Math.min(largest, value)));
  const text = `${clamped}`;
  const float = /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
  return clamped < 0 || Object.is(clamped, -0) ? `(${float})` : float;
};

/** Whether several elements share one 32-bit word. */
export const isPacked = (dtype: DType): boolean => bytesOf[dtype] < 4;
