// Rows of a table by id. Its gradient adds each row's gradient to the table's row.

import type { Op } from "../graph/op.ts";
import { isWhole, numbers, refuse, show, zeros } from "./shape.ts";

export const gather: Op = {
  name: "gather",
  doc: "The rows of a table [v, d] that ids [..] name, as [.., d].",
  call: { tensors: ["table", "ids"] },
  type: ([table, ids]) => {
    if (!table || !ids) return refuse("gather takes a table and ids");
    if (table.shape.length !== 2) return refuse(`gather needs a table with two axes, not ${show(table.shape)}`);
    if (!isWhole(ids)) return refuse(`gather needs whole-number ids, not ${ids.dtype}`);
    return { dtype: table.dtype, shape: [...ids.shape, table.shape[1]!] };
  },
  gradient: ({ graph, node, d, wants }) => {
    const [table, ids] = node.inputs as [typeof node, typeof node];
    return [wants[0] && d[0] ? graph.add("gather_gradient", [ids, d[0]], { rows: table.type.shape[0]! }) : undefined, undefined];
  },
  eval: ([table, ids], _attrs, types) => {
    const out = zeros(types[0]!);
    const width = table!.shape[1]!;
    ids!.data.forEach((id, i) => {
      if (!(id >= 0 && id < table!.shape[0]!)) throw new Error(`id ${id} is outside a table of ${table!.shape[0]} rows`);
      for (let k = 0; k < width; k++) out.data[i * width + k] = table!.data[id * width + k]!;
    });
    return [{ shape: numbers(types[0]!.shape), data: out.data }];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ at, read, inputs, name }) => {
      const rank = inputs[1]!.shape.length;
      const id = read(
        1,
        inputs[1]!.shape.map((_, i) => at(i)),
      );
      return read(0, [name(`u32(${id})`), at(rank)]);
    },
  },
  onnx: (write, inputs) => [write.node("Gather", inputs, { axis: 0 })],
};
