// Rounding to IEEE half precision, for ops that may take their operands so. The attribute `half` says it; operands stay f32 by type.

import type { OnnxWriter } from "../emit/onnx-writer.ts";
import type { Attrs, Node, TensorType } from "../graph/graph.ts";
import type { Tensor } from "../graph/op.ts";

/** The nearest f16 of the nearest f32, ties to even; past the largest an infinity. */
export const toHalf = (value: number): number => {
  const x = Math.fround(value);
  const size = Math.abs(x);
  if (size >= 65520) return x < 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (!(size > 0)) return x;
  // The distance of neighbours at this size: 11 bits of mantissa, and below 2^-14 a fixed one.
  const step = 2 ** (Math.max(Math.floor(Math.log2(size)), -14) - 10);
  const places = size / step;
  const low = Math.floor(places);
  const up = places - low > 0.5 || (places - low === 0.5 && low % 2 === 1);
  return Math.sign(x) * (low + (up ? 1 : 0)) * step;
};

/** What a product multiplies: its operands, rounded where the attributes say so. */
export const operandsOf = (inputs: readonly Tensor[], attrs: Attrs): readonly Tensor[] =>
  attrs.half === true ? inputs.map(({ shape, data }) => ({ shape, data: data.map(toHalf) })) : inputs;

/** The same as ONNX: there and back, since ONNX Runtime's own products of halves add up in halves where it has any. */
export const printOperands = (write: OnnxWriter, inputs: readonly string[], attrs: Attrs): readonly string[] =>
  attrs.half === true
    ? inputs.map((input) => write.node("Cast", [write.node("Cast", [input], { to: write.code("f16") })], { to: write.code("f32") }))
    : inputs;

/** What that takes beside the operands: each as f16, then as f32. */
export const heldOperands = (node: Node, bytes: (type: TensorType) => number): readonly (readonly number[])[] => {
  if (node.attrs.half !== true) return [];
  const rounded = node.inputs.map(({ type }) => bytes({ ...type, dtype: "f32" }));
  return [[...rounded, Math.max(...rounded) / 2], rounded];
};
