// Rows of a parameter [m, d] where a token's position is from … from + m − 1, and the tokens' own [b, t, d] elsewhere: virtual tokens
// (Lester et al. 2021). Their slots stand in the batch already, so everything that depends on positions (rotation, attention, caches,
// packed rows) is as for any other token.

import type { Attrs, Node } from "../graph/graph.ts";
import type { Op } from "../graph/op.ts";
import type { Dim } from "../values/dims.ts";
import { isWhole, numbers, refuse, sameShape, show, zeros } from "./shape.ts";

const fromOf = (attrs: Attrs): number => (typeof attrs.from === "number" ? attrs.from : 0);

export const prepend: Op = {
  name: "prepend",
  doc: "Rows [m, d] at positions from … from + m - 1, and x [b, t, d] elsewhere.",
  sizes: ["from"],
  type: ([x, rows, positions]) => {
    if (!x || !rows || !positions) return refuse("prepend takes a tensor, rows and positions");
    if (rows.shape.length !== 2 || x.shape.length < 2 || rows.dtype !== x.dtype || rows.shape[1] !== x.shape.at(-1))
      return refuse(`prepend: rows ${rows.dtype}${show(rows.shape)} do not stand in front of ${x.dtype}${show(x.shape)}`);
    if (!isWhole(positions) || !sameShape(positions.shape, x.shape.slice(0, -1)))
      return refuse(
        `prepend: positions must be whole numbers ${show(x.shape.slice(0, -1))}, not ${positions.dtype}${show(positions.shape)}`,
      );
    return x;
  },
  gradient: ({ graph, node, d, wants }) => {
    const [, rows, positions] = node.inputs as [Node, Node, Node];
    if (!d[0]) return [undefined, undefined, undefined];
    const [m, width] = rows.type.shape as [Dim, Dim];
    const from = fromOf(node.attrs);
    // A product with the positions' ones and zeros: the same sums in every run, and few rows.
    const ones = () => graph.add("one_hot", [positions], { from, count: m });
    return [
      wants[0] ? graph.add("prepend", [d[0], graph.constant(0, [m, width]), positions], node.attrs) : undefined,
      wants[1] ? graph.add("contract", [ones(), d[0]]) : undefined,
      undefined,
    ];
  },
  eval: ([x, rows, positions], attrs, types) => {
    const out = zeros(types[0]!);
    const [m, width] = rows!.shape as [number, number];
    out.data.set(x!.data);
    positions!.data.forEach((position, i) => {
      const row = position - fromOf(attrs);
      if (row >= 0 && row < m) out.data.set(rows!.data.subarray(row * width, (row + 1) * width), i * width);
    });
    return [{ shape: numbers(types[0]!.shape), data: out.data }];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ at, read, same, size, inputs, name }, attrs) => {
      const rank = inputs[0]!.shape.length;
      const m = size(inputs[1]!.shape[0]!);
      const position = read(
        2,
        inputs[2]!.shape.map((_, i) => at(i)),
      );
      // Before the first row the difference wraps around and is large: one comparison tests both ends.
      const row = name(`u32(${position}) - ${fromOf(attrs)}u`);
      return `select(${same(0)}, ${read(1, [name(`min(${row}, ${m} - 1u)`), at(rank - 1)])}, ${row} < ${m})`;
    },
  },
  onnx: (write, [x, rows, positions], node) => {
    const m = node.inputs[1]!.type.shape[0]!;
    const lead = node.inputs[2]!.type.shape;
    const whole = write.node("Cast", [positions!], { to: write.code("i64") });
    const row = write.node("Sub", [whole, write.constant([fromOf(node.attrs)], "i64")]);
    const last = write.node("Sub", [write.shape([m]), write.constant([1], "i64")]);
    const inside = write.node("And", [
      write.node("GreaterOrEqual", [row, write.constant([0], "i64")]),
      write.node("LessOrEqual", [row, last]),
    ]);
    const place = write.node("Min", [write.node("Max", [row, write.constant([0], "i64")]), last]);
    const taken = write.node("Gather", [rows!, place], { axis: 0 });
    return [write.node("Where", [write.reshape(inside, lead, [...lead, 1]), taken, x!])];
  },
};
