// Rows of a packed table by id, unpacked: what gather of a decoded table is, without the table. Scales and offsets are those of the
// rows already, one for each of equal parts of a row.

import type { Op } from "../graph/op.ts";
import { product } from "../values/dims.ts";
import { type Coding, numberOf, numberText } from "./decode.ts";
import { isWhole, numbers, refuse, show } from "./shape.ts";

const widthOf = (attrs: { readonly [name: string]: unknown }): { readonly rows: number; readonly width: number } => ({
  rows: attrs.rows as number,
  width: attrs.width as number,
});

const codesOf = (attrs: { readonly [name: string]: unknown }): Omit<Coding, "shape" | "block"> => ({
  bits: attrs.bits as 4 | 8,
  signed: attrs.signed === true,
  table: (attrs.table as readonly number[]).map(Math.fround),
});

export const decode_rows: Op = {
  name: "decode_rows",
  doc: "The rows of a packed table [rows, width] that ids [..] name, as numbers [.., width].",
  type: ([codes, ids, scale, offset], attrs) => {
    const { rows, width } = widthOf(attrs);
    const { bits } = codesOf(attrs);
    if (codes?.dtype !== "u8" || !ids || !isWhole(ids) || !scale)
      return refuse("decode_rows takes packed codes, ids and the scales of their rows");
    if ((width * bits) % 8 !== 0 || codes.shape[0] !== (rows * width * bits) / 8)
      return refuse(`decode_rows: ${show(codes.shape)} bytes are not ${rows} rows of ${width}`);
    for (const part of offset ? [scale, offset] : [scale]) {
      const parts = part.shape.at(-1);
      if (typeof parts !== "number" || width % parts !== 0 || show(part.shape.slice(0, -1)) !== show(ids.shape))
        return refuse(`decode_rows: ${show(part.shape)} are no scales of rows ${show(ids.shape)}`);
    }
    return { dtype: "f32", shape: [...ids.shape, width] };
  },
  eval: ([codes, ids, scale, offset], attrs, types) => {
    const { rows, width } = widthOf(attrs);
    const { bits, ...coding } = codesOf(attrs);
    const shape = numbers(types[0]!.shape);
    const data = new Float64Array(shape.reduce((a, b) => a * b, 1));
    const part = ({ data: of, shape: own }: NonNullable<typeof scale>, row: number, k: number): number =>
      of[row * own.at(-1)! + Math.floor((k * own.at(-1)!) / width)]!;
    ids!.data.forEach((id, row) => {
      if (!(id >= 0 && id < rows)) throw new Error(`id ${id} is outside a table of ${rows} rows`);
      for (let k = 0; k < width; k++) {
        const at = id * width + k;
        const code = bits === 8 ? codes!.data[at]! : at % 2 === 0 ? codes!.data[at >> 1]! >> 4 : codes!.data[at >> 1]! & 15;
        data[row * width + k] = numberOf({ bits, ...coding }, code) * part(scale!, row, k) + (offset ? part(offset, row, k) : 0);
      }
    });
    return [{ shape, data }];
  },
  flops: (_inputs, _attrs, type) => product([2, ...type.shape]),
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ at, read, name, prelude, inputs }, attrs) => {
      const { width } = widthOf(attrs);
      const coding = codesOf(attrs);
      const place = inputs[1]!.shape.map((_, axis) => at(axis));
      const column = at(place.length);
      const i = name(`u32(${read(1, place)}) * ${width}u + ${column}`);
      const byte = coding.bits === 8 ? read(0, [i]) : read(0, [name(`${i} >> 1u`)]);
      const code = coding.bits === 8 ? byte : name(`(${byte} >> ((1u - (${i} & 1u)) * 4u)) & 15u`);
      const part = (input: number): string =>
        read(input, [...place, name(`${column} / ${width / (inputs[input]!.shape.at(-1) as number)}u`)]);
      const number = numberText(coding, code, prelude);
      return inputs[3] ? `fma(${number}, ${part(2)}, ${part(3)})` : `${number} * ${part(2)}`;
    },
  },
  onnx: (write, [codes, ids, scale, offset], node) => {
    const { rows, width } = widthOf(node.attrs);
    const { bits, ...coding } = codesOf(node.attrs);
    const ints = (name: string): string => write.node("Cast", [name], { to: write.code("i32") });
    const shape = node.inputs[1]!.type.shape;
    const bytes = (width * bits) / 8;
    const table = write.node("Reshape", [codes!, write.constant([rows, bytes], "i64")]);
    const found = ints(write.node("Gather", [table, ids!], { axis: 0 }));
    const per = bits === 4 ? 2 : 1;
    const entries = Array.from({ length: 256 }, (_, byte) =>
      (per === 2 ? [byte >> 4, byte & 15] : [byte]).map((code) => numberOf({ bits, ...coding }, code)),
    ).flat();
    const pairs = write.node("Gather", [write.constant(entries, "f32", [256, per]), found], { axis: 0 });
    // [.., bytes, per] -> [.., parts, elements of a part], by the scale's own number of parts.
    const parts = (input: number): number => node.inputs[input]!.type.shape.at(-1) as number;
    const cut = (name: string, from: readonly (string | number)[], count: number): string =>
      write.reshape(name, from, [...shape, count, width / count]);
    const column = (name: string, input: number): string =>
      write.reshape(name, node.inputs[input]!.type.shape, [...node.inputs[input]!.type.shape, 1]);
    let values = write.node("Mul", [cut(pairs, [...shape, bytes, per], parts(2)), column(scale!, 2)]);
    values = write.reshape(values, [...shape, parts(2), width / parts(2)], [...shape, width]);
    if (offset === undefined) return [values];
    const moved = write.node("Add", [cut(values, [...shape, width], parts(3)), column(offset, 3)]);
    return [write.reshape(moved, [...shape, parts(3), width / parts(3)], [...shape, width])];
  },
};
