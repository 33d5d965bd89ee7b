// Slots [m, g, d] in front of each row's keys or values [b, t, g, d], the same in every row, or [b, m, g, d], each row's own: what attention
// always sees (Li and Liang 2021). A cache holds the rows behind them; the slots are put in front of it anew, since they are no token's.

import type { Op } from "../graph/op.ts";
import { add, type Dim } from "../values/dims.ts";
import { numbers, refuse, sameShape, show, stridesOf, zeros } from "./shape.ts";

export const remember: Op = {
  name: "remember",
  doc: "Slots [m, g, d], the same in every row, or [b, m, g, d] in front of the second axis of rows [b, t, g, d].",
  behind: 1,
  type: ([slots, rows]) => {
    if (!slots || !rows || (slots.shape.length !== 3 && slots.shape.length !== 4) || rows.shape.length !== 4)
      return refuse(`memory is a key and a value of [slots, heads, width] or [rows, slots, heads, width], not ${show(slots?.shape ?? [])}`);
    const [m, g, d] = slots.shape.slice(-3) as [Dim, Dim, Dim];
    const [b, t] = rows.shape as [Dim, Dim];
    const own = slots.shape.length === 4;
    if (slots.dtype !== rows.dtype || !sameShape(rows.shape.slice(2), [g, d]) || (own && slots.shape[0] !== b))
      return refuse(
        `memory ${slots.dtype}${show(slots.shape)} does not fit ${rows.dtype}${show(rows.shape)}: ${own ? "rows or " : ""}the last two sizes differ`,
      );
    return { dtype: rows.dtype, shape: [b, add(m, t), g, d] };
  },
  gradient: ({ graph, node, d, wants }) => {
    const slots = node.inputs[0]!.type.shape;
    const [m, t] = [slots.at(-3)!, node.inputs[1]!.type.shape[1]!];
    const part = (from: Dim, to: Dim) => graph.add("slice", [d[0]!], { axis: 1, from, to });
    if (!d[0]) return [undefined, undefined];
    const ofSlots = () => (slots.length === 4 ? part(0, m) : graph.add("sum", [part(0, m)], { axes: [0], keep: false }));
    return [wants[0] ? ofSlots() : undefined, wants[1] ? part(m, add(m, t)) : undefined];
  },
  eval: ([slots, rows], _attrs, types) => {
    const out = zeros(types[0]!);
    const [b, t] = rows!.shape as [number, number];
    const own = slots!.shape.length === 4;
    const size = own ? stridesOf(slots!.shape)[0]! : slots!.data.length;
    const row = stridesOf(rows!.shape)[0]!;
    for (let i = 0; i < b; i++) {
      out.data.set(own ? slots!.data.subarray(i * size, (i + 1) * size) : slots!.data, i * (size + row));
      if (t > 0) out.data.set(rows!.data.subarray(i * row, (i + 1) * row), i * (size + row) + size);
    }
    return [{ shape: numbers(types[0]!.shape), data: out.data }];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ at, read, size, inputs, name }) => {
      const own = inputs[0]!.shape.length === 4;
      const m = size(inputs[0]!.shape.at(-3)!);
      const slot = name(`min(${at(1)}, ${m} - 1u)`);
      const place = name(`max(${at(1)}, ${m}) - ${m}`);
      return `select(${read(1, [at(0), place, at(2), at(3)])}, ${read(0, [...(own ? [at(0)] : []), slot, at(2), at(3)])}, ${at(1)} < ${m})`;
    },
  },
  onnx: (write, [slots, rows], node) => {
    const shape = node.inputs[0]!.type.shape;
    if (shape.length === 4) return [write.node("Concat", [slots!, rows!], { axis: 1 })];
    const [m, g, d] = shape as [Dim, Dim, Dim];
    const b = node.type.shape[0]!;
    const wide = write.node("Expand", [write.reshape(slots!, [m, g, d], [1, m, g, d]), write.shape([b, m, g, d])]);
    return [write.node("Concat", [wide, rows!], { axis: 1 })];
  },
};
