// Dropout whose mask is a function of (seed, site, row, column) alone, so that every device and every recomputation draws the
// same one. With the 32-bit mixer m below and key = m(seed + site·G):
//
//   a[row] = m(key + row·G) | 1     c[row] = m(~key + row·G)     w[column] = m((key ^ F) + column·G)
//   the element is kept when a·w + c, as a signed 32-bit number, is at least p·2³² − 2³¹
//
// A multiply-add with random a and c is pairwise independent along a row (Dietzfelbinger 1996) and rows are independent of
// each other. Its cost per element is one multiply-add and one comparison: the mixing is done once per row and per column,
// which matters on the CPU, where each step is a pass over memory. Rows are the leading axes taken together.
// The mixer is "lowbias32" (Wellons 2018) with the constants 21f0aaad, d35a2d97 found later by the same search.

import type { OnnxWriter } from "../emit/onnx-writer.ts";
import type { Op } from "../graph/op.ts";
import { type Dim, product } from "../values/dims.ts";
import { isFloat, isWhole, refuse } from "./shape.ts";

const G = 0x9e3779b9 | 0;
const F = 0x5bf03635;

const mix = (value: number): number => {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0xd35a2d97 | 0);
  return x ^ (x >>> 15);
};

const keyOf = (seed: number, site: number): number => mix(seed + Math.imul(site, G));

const thresholdOf = (p: number): number => Math.round(p * 2 ** 32) - 2 ** 31;

export const kept = (seed: number, site: number, row: number, column: number, p: number): boolean => {
  const key = keyOf(seed, site);
  const a = mix(key + Math.imul(row, G)) | 1;
  const c = mix(~key + Math.imul(row, G));
  const w = mix((key ^ F) + Math.imul(column, G));
  return ((Math.imul(a, w) + c) | 0) >= thresholdOf(p);
};

/** The mixer over an int32 tensor. Shifts exist for unsigned numbers only, products for signed ones only: casts keep the bits. */
const mixOnnx = (write: OnnxWriter, x: string): string => {
  const shifted = (value: string, by: number) => {
    const bits = write.node("Cast", [value], { to: write.code("u32") });
    const moved = write.node("BitShift", [bits, write.constant(by, "u32")], { direction: "RIGHT" });
    return write.node("BitwiseXor", [value, write.node("Cast", [moved], { to: write.code("i32") })]);
  };
  const first = write.node("Mul", [shifted(x, 16), write.constant(0x21f0aaad, "i32")]);
  return shifted(write.node("Mul", [shifted(first, 15), write.constant(0xd35a2d97 | 0, "i32")]), 15);
};

export const dropout: Op = {
  name: "dropout",
  doc: "Zeroes each element with probability p and scales the rest by 1 / (1 - p); the identity outside training.",
  call: { tensors: ["x"], attrs: { p: undefined } },
  type: ([x, seed], attrs) => {
    const p = attrs.p;
    if (!x || !isFloat(x)) return refuse("dropout takes one floating-point tensor");
    if (typeof p !== "number" || !(p >= 0 && p < 1)) return refuse(`dropout: p must be at least 0 and below 1, not ${String(p)}`);
    if (!seed || !isWhole(seed) || seed.shape.length !== 0) return refuse("dropout needs a whole-number scalar as its seed");
    return x;
  },
  gradient: ({ graph, node, d, wants }) => [
    wants[0] && d[0] ? graph.add("dropout", [d[0], node.inputs[1]!], node.attrs) : undefined,
    undefined,
  ],
  eval: ([x, seed], attrs) => {
    const [p, site] = [attrs.p as number, (attrs.site as number | undefined) ?? 0];
    const width = x!.shape.at(-1) ?? 1;
    const data = x!.data.map((v, i) => (kept(seed!.data[0]!, site, Math.floor(i / width), i % width, p) ? v / (1 - p) : 0));
    return [{ shape: x!.shape, data: p === 0 ? x!.data : data }];
  },
  wgsl: {
    form: "element",
    cost: "work",
    over: 0,
    element: ({ flat, same, read, size, output, name }, attrs) => {
      const p = attrs.p as number;
      if (p === 0) return same(0);
      const site = (attrs.site as number | undefined) ?? 0;
      const width = size(output.shape.at(-1) ?? 1);
      const key = name(`mix_(u32(${read(1, [])}) + ${Math.imul(site, G) >>> 0}u)`);
      const row = name(`(${flat()} / ${width}) * ${G >>> 0}u`);
      const column = name(`(${flat()} % ${width}) * ${G >>> 0}u`);
      const draw = name(`bitcast<i32>((mix_(${key} + ${row}) | 1u) * mix_((${key} ^ ${F}u) + ${column}) + mix_(~${key} + ${row}))`);
      return `select(0.0, ${same(0)} * ${1 / (1 - p)}, ${draw} >= ${thresholdOf(p)})`;
    },
    prelude: `fn mix_(value: u32) -> u32 {
    var x = value;
    x = (x ^ (x >> 16u)) * 0x21f0aaadu;
    x = (x ^ (x >> 15u)) * 0xd35a2d97u;
    return x ^ (x >> 15u);
  }`,
  },
  onnx: (write, [x, seed], node) => {
    const p = node.attrs.p as number;
    const site = (node.attrs.site as number | undefined) ?? 0;
    if (p === 0) return [x!];
    const { shape } = node.type;
    const width = shape.at(-1) ?? 1;
    const rows = product(shape.slice(0, -1));
    const i32 = { to: write.code("i32") };
    const steps = (count: Dim) => {
      const range = write.node("Range", [
        write.constant([0], "i64", []),
        write.node("Squeeze", [write.shape([count])]),
        write.constant([1], "i64", []),
      ]);
      return write.node("Mul", [write.node("Cast", [range], i32), write.constant(G, "i32")]);
    };
    const start = node.inputs[1]!.type.dtype === "i32" ? seed! : write.node("Cast", [seed!], i32);
    const key = mixOnnx(write, write.node("Add", [start, write.constant(Math.imul(site, G), "i32")]));
    const [down, across] = [steps(rows), steps(width)];
    const from = (other: string, mask: number) =>
      write.node("Add", [other, mask === 0 ? key : write.node("BitwiseXor", [key, write.constant(mask, "i32")])]);
    // One mixing for all three vectors.
    const mixed = mixOnnx(write, write.node("Concat", [from(down, 0), from(down, -1), from(across, F)], { axis: 0 }));
    const [a, c, w] = write.nodes("Split", [mixed, write.shape([rows, rows, width])], { axis: 0 }, [true, true, true]);
    const lead = shape.slice(0, -1);
    const perRow = (name: string) => write.reshape(name, [rows], shape.length ? [...lead, 1] : []);
    const odd = write.node("BitwiseOr", [perRow(a!), write.constant(1, "i32")]);
    const hash = write.node("Add", [write.node("Mul", [odd, shape.length ? w! : write.reshape(w!, [1], [])]), perRow(c!)]);
    const keep = write.node("GreaterOrEqual", [hash, write.constant(thresholdOf(p), "i32")]);
    // Bits to 0 or 1 / (1 − p): by way of bytes it takes 0.6 of the time that Where does.
    const bytes = write.node("Cast", [keep], { to: write.code("u8") });
    const factor = write.node("DequantizeLinear", [bytes, write.constant(1 / (1 - p))]);
    return [write.node("Mul", [x!, factor])];
  },
};
