// Skew-symmetric matrices from the entries above their diagonals, row by row.

import type { Op } from "../graph/op.ts";
import type { Dim } from "../values/dims.ts";
import { isFloat, numbers, refuse, show, zeros } from "./shape.ts";

/** Pairs [row, column] above the diagonal, row by row. */
export const abovePairs = (size: number): [number, number][] =>
  Array.from({ length: size }, (_, i) => Array.from({ length: size - i - 1 }, (_, k): [number, number] => [i, i + k + 1])).flat();

export const skew: Op = {
  name: "skew",
  doc: "Skew-symmetric matrices [k, size, size] from the entries above their diagonals, [k, size * (size - 1) / 2].",
  call: { tensors: ["x"], attrs: { size: undefined } },
  type: ([x], attrs) => {
    const size = attrs.size as Dim;
    if (!x || !isFloat(x) || x.shape.length !== 2) return refuse(`skew takes entries [k, n]${x ? `, not ${show(x.shape)}` : ""}`);
    const entries = x.shape[1]!;
    if (typeof size === "number" && typeof entries === "number" && entries !== (size * (size - 1)) / 2)
      return refuse(`skew: ${size} rows have ${(size * (size - 1)) / 2} entries above the diagonal, not ${entries}`);
    return { dtype: x.dtype, shape: [x.shape[0]!, size, size] };
  },
  gradient: ({ graph, d, wants, node }) => [wants[0] && d[0] ? graph.add("skew_gradient", [d[0]], { size: node.attrs.size! }) : undefined],
  eval: ([x], attrs, types) => {
    const out = zeros(types[0]!);
    const size = attrs.size as number;
    const pairs = abovePairs(size);
    for (let k = 0; k < x!.shape[0]!; k++)
      for (const [e, [i, j]] of pairs.entries()) {
        const value = x!.data[k * pairs.length + e]!;
        out.data[(k * size + i) * size + j] = value;
        out.data[(k * size + j) * size + i] = -value;
      }
    return [out];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ at, read, name, size }, attrs) => {
      const n = size(attrs.size as Dim);
      const low = name(`min(${at(1)}, ${at(2)})`);
      const high = name(`max(${at(1)}, ${at(2)})`);
      const entry = name(`select(${low} * (2u * ${n} - ${low} - 1u) / 2u + ${high} - ${low} - 1u, 0u, ${low} == ${high})`);
      const value = name(read(0, [at(0), entry]));
      return `select(select(-(${value}), ${value}, ${at(1)} < ${at(2)}), 0.0, ${low} == ${high})`;
    },
  },
  onnx: (write, [x], node) => {
    const size = node.attrs.size as number;
    const pairs = abovePairs(size);
    const [index, sign] = [new Array<number>(size * size).fill(0), new Array<number>(size * size).fill(0)];
    for (const [e, [i, j]] of pairs.entries()) {
      index[i * size + j] = e;
      index[j * size + i] = e;
      sign[i * size + j] = 1;
      sign[j * size + i] = -1;
    }
    const taken = write.node("Gather", [x!, write.constant(index, "i64")], { axis: 1 });
    const signed = write.node("Mul", [taken, write.constant(sign)]);
    return [write.reshape(signed, [node.type.shape[0]!, size * size], node.type.shape)];
  },
};

/** Differences of mirrored entries: what `skew` gives back. */
export const skew_gradient: Op = {
  name: "skew_gradient",
  doc: "Above the diagonal, row by row: the entry less its mirror image, [k, size, size] -> [k, size * (size - 1) / 2].",
  type: ([d], attrs) =>
    d && d.shape.length === 3
      ? { dtype: d.dtype, shape: [d.shape[0]!, ((attrs.size as number) * ((attrs.size as number) - 1)) / 2] }
      : refuse("skew_gradient takes square matrices"),
  eval: ([d], attrs, types) => {
    const out = zeros(types[0]!);
    const size = attrs.size as number;
    const pairs = abovePairs(size);
    for (let k = 0; k < numbers(types[0]!.shape)[0]!; k++)
      for (const [e, [i, j]] of pairs.entries())
        out.data[k * pairs.length + e] = d!.data[(k * size + i) * size + j]! - d!.data[(k * size + j) * size + i]!;
    return [out];
  },
  wgsl: {
    form: "element",
    cost: "work",
    prelude: `fn row_above(entry: u32, size: u32) -> u32 {
  var row = 0u;
  var left = entry;
  while (left >= size - 1u - row) {
    left -= size - 1u - row;
    row++;
  }
  return row;
}`,
    element: ({ at, read, name, size }, attrs) => {
      const n = size(attrs.size as Dim);
      const row = name(`row_above(${at(1)}, ${n})`);
      const column = name(`${at(1)} + ${row} + 1u - ${row} * (2u * ${n} - ${row} - 1u) / 2u`);
      return `${read(0, [at(0), row, column])} - ${read(0, [at(0), column, row])}`;
    },
  },
  onnx: (write, [d], node) => {
    const size = node.attrs.size as number;
    const pairs = abovePairs(size);
    const flat = write.reshape(d!, node.inputs[0]!.type.shape, [node.type.shape[0]!, size * size]);
    const take = (places: readonly number[]) => write.node("Gather", [flat, write.constant(places, "i64")], { axis: 1 });
    return [write.node("Sub", [take(pairs.map(([i, j]) => i * size + j)), take(pairs.map(([i, j]) => j * size + i))])];
  },
};
