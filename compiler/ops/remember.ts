// Slots [m, g, d] in front of each row's keys or values [b, t, g, d], the same in every row: what attention always sees
// (Li and Liang 2021). A cache holds the rows behind them; the slots are put in front of it anew, since they are parameters.

import type { Op } from "../graph/op.ts";
import { add, type Dim } from "../values/dims.ts";
import { numbers, refuse, sameShape, show, stridesOf, zeros } from "./shape.ts";

export const remember: Op = {
  name: "remember",
  doc: "Slots [m, g, d] in front of the second axis of rows [b, t, g, d], the same in every row.",
  behind: 1,
  type: ([slots, rows]) => {
    if (!slots || !rows || slots.shape.length !== 3 || rows.shape.length !== 4)
      return refuse(`memory is a key and a value of [slots, heads, width], not ${show(slots?.shape ?? [])}`);
    const [m, g, d] = slots.shape as [Dim, Dim, Dim];
    const [b, t] = rows.shape as [Dim, Dim];
    if (slots.dtype !== rows.dtype || !sameShape(rows.shape.slice(2), [g, d]))
      return refuse(`memory ${slots.dtype}${show(slots.shape)} does not fit ${rows.dtype}${show(rows.shape)}: the last two sizes differ`);
    return { dtype: rows.dtype, shape: [b, add(m, t), g, d] };
  },
  gradient: ({ graph, node, d, wants }) => {
    const [m, t] = [node.inputs[0]!.type.shape[0]!, node.inputs[1]!.type.shape[1]!];
    const part = (from: Dim, to: Dim) => graph.add("slice", [d[0]!], { axis: 1, from, to });
    if (!d[0]) return [undefined, undefined];
    return [wants[0] ? graph.add("sum", [part(0, m)], { axes: [0], keep: false }) : undefined, wants[1] ? part(m, add(m, t)) : undefined];
  },
  eval: ([slots, rows], _attrs, types) => {
    const out = zeros(types[0]!);
    const [b, t] = rows!.shape as [number, number];
    const size = slots!.data.length;
    const row = stridesOf(rows!.shape)[0]!;
    for (let i = 0; i < b; i++) {
      out.data.set(slots!.data, i * (size + row));
      if (t > 0) out.data.set(rows!.data.subarray(i * row, (i + 1) * row), i * (size + row) + size);
    }
    return [{ shape: numbers(types[0]!.shape), data: out.data }];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ at, read, size, inputs, name }) => {
      const m = size(inputs[0]!.shape[0]!);
      const slot = name(`min(${at(1)}, ${m} - 1u)`);
      const place = name(`max(${at(1)}, ${m}) - ${m}`);
      return `select(${read(1, [at(0), place, at(2), at(3)])}, ${read(0, [slot, at(2), at(3)])}, ${at(1)} < ${m})`;
    },
  },
  onnx: (write, [slots, rows], node) => {
    const [m, g, d] = node.inputs[0]!.type.shape as [Dim, Dim, Dim];
    const b = node.type.shape[0]!;
    const wide = write.node("Expand", [write.reshape(slots!, [m, g, d], [1, m, g, d]), write.shape([b, m, g, d])]);
    return [write.node("Concat", [wide, rows!], { axis: 1 })];
  },
};
