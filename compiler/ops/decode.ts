// Packed codes -> numbers: table[code] · scale + offset, where `block` elements in a row share their scale and offset. This is the
// one op behind every stored format: the table is a codebook, or absent where the code is the number itself.
//
// Codes lie in u8: of 8 bits each, two's complement when `signed`; of 4 bits two in a byte, the first in the high half.
// In a WGSL tile eight codes come out of one u32; as ONNX, pairs of codes index a table of pairs (256 entries), which halves the
// lookups, and a product that the engine can decode itself is printed by emit/onnx-decode.ts.

import type { OnnxWriter } from "../emit/onnx-writer.ts";
import type { Attrs, TensorType } from "../graph/graph.ts";
import type { Op } from "../graph/op.ts";
import { at, type Dim, isConcrete, product } from "../values/dims.ts";
import { tableFunction } from "./codebook.ts";
import { count, dimsOf, numbers, refuse, show } from "./shape.ts";

/** What the attributes say. */
export interface Coding {
  readonly shape: readonly Dim[];
  readonly block: number;
  readonly bits: 4 | 8;
  readonly signed: boolean;
  /** Empty: the code is the number. */
  readonly table: readonly number[];
}

export const codingOf = (attrs: Attrs): Coding => ({
  shape: dimsOf(attrs.shape),
  block: attrs.block as number,
  bits: attrs.bits as 4 | 8,
  signed: attrs.signed === true,
  table: (attrs.table as readonly number[]).map(Math.fround),
});

/** The number that a stored code stands for, before its scale. */
export const numberOf = ({ bits, signed, table }: Omit<Coding, "shape" | "block">, code: number): number =>
  table.length ? table[code]! : signed && code >= 2 ** (bits - 1) ? code - 2 ** bits : code;

const codeAt = (bits: 4 | 8, bytes: ArrayLike<number>, i: number): number =>
  bits === 8 ? bytes[i]! : i % 2 === 0 ? bytes[i >> 1]! >> 4 : bytes[i >> 1]! & 15;

export const decode: Op = {
  name: "decode",
  doc: "Numbers from packed codes: table[code] times the scale of its block, plus its offset.",
  type: ([codes, scale, offset], attrs) => {
    if (codes?.dtype !== "u8" || codes.shape.length !== 1) return refuse("decode takes packed codes, a vector of u8");
    const { shape, block, bits, table } = codingOf(attrs);
    if (!shape.every(isConcrete)) return refuse(`decode makes a tensor of known sizes, not ${show(shape)}`);
    const elements = count(shape);
    if (table.length > 0 && table.length !== 2 ** bits)
      return refuse(`decode needs ${2 ** bits} entries for ${bits} bits, not ${table.length}`);
    if (codes.shape[0] !== Math.ceil((elements * bits) / 8)) return refuse(`decode: ${show(codes.shape)} bytes do not hold ${show(shape)}`);
    const blocks = Math.ceil(elements / block);
    for (const [name, part] of [
      ["scale", scale],
      ["offset", offset],
    ] as const)
      if (part ? part.dtype !== "f32" || part.shape.length !== 1 || part.shape[0] !== blocks : name === "scale")
        return refuse(`decode needs one ${name} for each of ${blocks} blocks`);
    return { dtype: "f32", shape };
  },
  eval: ([codes, scale, offset], attrs, types) => {
    const coding = codingOf(attrs);
    const data = new Float64Array(count(types[0]!.shape));
    for (let i = 0; i < data.length; i++) {
      const b = Math.floor(i / coding.block);
      data[i] = numberOf(coding, codeAt(coding.bits, codes!.data, i)) * scale!.data[b]! + (offset?.data[b] ?? 0);
    }
    return [{ shape: numbers(types[0]!.shape), data }];
  },
  flops: (_inputs, _attrs, type) => product([2, ...type.shape]),
  sizes: ["shape"],
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ flat, read, name, prelude, inputs }, attrs) => {
      const coding = codingOf(attrs);
      const i = flat();
      const byte = coding.bits === 8 ? read(0, [i]) : read(0, [name(`${i} >> 1u`)]);
      const code = coding.bits === 8 ? byte : name(`(${byte} >> ((1u - (${i} & 1u)) * 4u)) & 15u`);
      return scaled(
        coding,
        numberText(coding, code, prelude),
        read(1, [name(`${i} / ${coding.block}u`)]),
        inputs[2] && read(2, [name(`${i} / ${coding.block}u`)]),
      );
    },
    four: ({ flat, read, word, name, prelude, inputs }, attrs) => {
      const coding = codingOf(attrs);
      if (coding.block % 4 !== 0) return undefined;
      const i = flat();
      // Eight codes of 4 bits, or four of 8, lie in one word; the first of a byte's two is in its high half.
      const bits = word(0, name(coding.bits === 8 ? `${i} >> 2u` : `${i} >> 3u`));
      if (bits === undefined) return undefined;
      const half = coding.bits === 8 ? bits : name(`${bits} >> ((${i} & 4u) << 2u)`);
      const block = name(`${i} / ${coding.block}u`);
      const [scale, offset] = [read(1, [block]), inputs[2] && read(2, [block])];
      return [0, 1, 2, 3].map((lane) => {
        const code = coding.bits === 8 ? name(`(${half} >> ${8 * lane}u) & 255u`) : name(`(${half} >> ${[4, 0, 12, 8][lane]}u) & 15u`);
        return name(scaled(coding, numberText(coding, code, prelude), scale, offset));
      });
    },
  },
  // The codes as indices, where there is a table, become their numbers, and those the values: two codes of four bits are one index.
  holds: (node, bytes) => {
    const { bits, table } = codingOf(node.attrs);
    const numbers = bytes(node.type);
    const indices = bits === 4 ? numbers / 2 : numbers;
    return bits === 4 || table.length > 0 ? [[indices, numbers], [numbers]] : [[numbers]];
  },
  onnx: (write, [codes, scale, offset], node) => [printDecode(write, codingOf(node.attrs), codes!, scale!, offset, node.inputs[0]!.type)],
};

/** The same as WGSL. */
export const numberText = (
  { bits, signed, table }: Omit<Coding, "shape" | "block">,
  code: string,
  prelude: (text: string) => void,
): string => {
  if (table.length) {
    const { name, text } = tableFunction(table);
    prelude(text);
    return `${name}(${code})`;
  }
  return signed ? `f32((bitcast<i32>(${code}) << ${32 - bits}u) >> ${32 - bits}u)` : `f32(${code})`;
};

const scaled = (_coding: Coding, value: string, scale: string, offset: string | undefined): string =>
  offset === undefined ? `${value} * ${scale}` : `fma(${value}, ${scale}, ${offset})`;

const printDecode = (
  write: OnnxWriter,
  coding: Coding,
  codes: string,
  scale: string,
  offset: string | undefined,
  bytes: TensorType,
): string => {
  const { shape, block, bits, signed, table } = coding;
  const elements = count(shape);
  const blocks = Math.ceil(elements / block);
  const whole = blocks * block;
  const flat = (name: string, ...dims: number[]): string => write.node("Reshape", [name, write.constant(dims, "i64")]);
  // A last block that is not full is filled up, and cut off again.
  const missing = Math.ceil((whole * bits) / 8) - at(bytes.shape[0]!, {});
  const full = missing ? write.node("Concat", [codes, write.constant(new Array(missing).fill(0), "u8")], { axis: 0 }) : codes;
  let numbersOf: string;
  if (bits === 4) {
    const pairs = Array.from({ length: 256 }, (_, byte) => [numberOf(coding, byte >> 4), numberOf(coding, byte & 15)]).flat();
    numbersOf = write.node("Gather", [write.constant(pairs, "f32", [256, 2]), write.node("Cast", [full], { to: write.code("i32") })], {
      axis: 0,
    });
  } else if (table.length)
    numbersOf = write.node("Gather", [write.constant(table, "f32"), write.node("Cast", [full], { to: write.code("i32") })], { axis: 0 });
  else {
    numbersOf = write.node("Cast", [full], { to: write.code("f32") });
    if (signed) {
      const high = write.node("Cast", [write.node("Greater", [numbersOf, write.constant(127, "f32")])], { to: write.code("f32") });
      numbersOf = write.node("Sub", [numbersOf, write.node("Mul", [high, write.constant(256, "f32")])]);
    }
  }
  const odd = bits === 4 && whole % 2 === 1;
  if (odd) numbersOf = write.node("Slice", [flat(numbersOf, whole + 1), write.constant([0], "i64"), write.constant([whole], "i64")]);
  // The width is left open, since ONNX Runtime holds memory of known sizes for the next of equal ones (emit/onnx.ts).
  let values = write.node("Mul", [flat(numbersOf, blocks, -1), flat(scale, blocks, 1)]);
  if (offset !== undefined) values = write.node("Add", [values, flat(offset, blocks, 1)]);
  if (whole !== elements)
    values = write.node("Slice", [flat(values, whole), write.constant([0], "i64"), write.constant([elements], "i64")]);
  return flat(values, ...numbers(shape));
};
