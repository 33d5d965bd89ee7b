// Each row of a square matrix turned by its own number: what makes a circulant matrix of equal rows.

import type { Op } from "../graph/op.ts";
import { isConcrete, product } from "../values/dims.ts";
import { isFloat, numbers, refuse, show, zeros } from "./shape.ts";

const mod = (a: number, n: number): number => ((a % n) + n) % n;

export const roll_rows: Op = {
  name: "roll_rows",
  doc: "y[.., i, j] = x[.., i, (j + by * i) mod n] of square matrices; `by` is 1 or -1.",
  call: { tensors: ["x"], attrs: { by: 1 } },
  type: ([x], attrs) => {
    if (!x || !isFloat(x)) return refuse("roll_rows takes one floating-point tensor");
    if (x.shape.length < 2 || x.shape.at(-1) !== x.shape.at(-2)) return refuse(`roll_rows takes square matrices, not ${show(x.shape)}`);
    if (attrs.by !== 1 && attrs.by !== -1) return refuse(`roll_rows: by is 1 or -1, not ${String(attrs.by)}`);
    return x;
  },
  gradient: ({ graph, node, d, wants }) => [
    wants[0] && d[0] ? graph.add("roll_rows", [d[0]], { by: -(node.attrs.by as number) }) : undefined,
  ],
  eval: ([x], attrs, types) => {
    const out = zeros(types[0]!);
    const n = numbers(types[0]!.shape).at(-1)!;
    for (let e = 0; e < out.data.length; e++) {
      const [i, j] = [Math.floor(e / n) % n, e % n];
      out.data[e] = x!.data[e - j + mod(j + (attrs.by as number) * i, n)]!;
    }
    return [out];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "view",
    element: ({ at, read, size, output }, attrs) => {
      const rank = output.shape.length;
      const n = size(output.shape[rank - 1]!);
      const [i, j] = [at(rank - 2), at(rank - 1)];
      const index = output.shape.map((_, axis) => at(axis));
      index[rank - 1] = attrs.by === 1 ? `(${j} + ${i}) % ${n}` : `(${j} + ${n} - ${i}) % ${n}`;
      return read(0, index);
    },
    keepsFour: () => false,
  },
  onnx: (write, [x], node) => {
    const n = node.type.shape.at(-1)!;
    if (!isConcrete(n)) throw new Error("roll_rows needs a size that is known");
    const places = Array.from({ length: n * n }, (_, e) => {
      const [i, j] = [Math.floor(e / n), e % n];
      return i * n + mod(j + (node.attrs.by as number) * i, n);
    });
    const flat = [product(node.type.shape.slice(0, -2)), n * n];
    const taken = write.node("Gather", [write.reshape(x!, node.type.shape, flat), write.constant(places, "i64")], { axis: 1 });
    return [write.reshape(taken, flat, node.type.shape)];
  },
};
