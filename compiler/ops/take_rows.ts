// Chosen positions of all leading axes taken together: only tokens that carry a loss go through the output head.

import type { Op } from "../graph/op.ts";
import { product } from "../values/dims.ts";
import { isWhole, refuse, show, zeros } from "./shape.ts";

export const take_rows: Op = {
  name: "take_rows",
  doc: "Rows of x [.., d] by their position in the flattened leading axes, as [n, d].",
  call: { tensors: ["x", "rows"] },
  type: ([x, rows]) => {
    if (!x || !rows) return refuse("take_rows takes a tensor and row numbers");
    if (x.shape.length < 2 || rows.shape.length !== 1)
      return refuse(`take_rows: needs [.., d] and [n], not ${show(x.shape)} and ${show(rows.shape)}`);
    if (!isWhole(rows)) return refuse(`take_rows needs whole-number rows, not ${rows.dtype}`);
    return { dtype: x.dtype, shape: [rows.shape[0]!, x.shape.at(-1)!] };
  },
  gradient: ({ graph, node, d, wants }) => {
    const [x, rows] = node.inputs as [typeof node, typeof node];
    return [wants[0] && d[0] ? graph.add("put_rows", [d[0], rows], { shape: x.type.shape }) : undefined, undefined];
  },
  eval: ([x, rows], _attrs, types) => {
    const out = zeros(types[0]!);
    const width = out.shape[1]!;
    rows!.data.forEach((row, i) => {
      for (let k = 0; k < width; k++) out.data[i * width + k] = x!.data[row * width + k]!;
    });
    return [out];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ at, read, inputs, size, name }) => {
      const { shape } = inputs[0]!;
      const row = name(`u32(${read(1, [at(0)])})`);
      const lead = shape.slice(0, -1);
      const index = lead.map((dim, i) => {
        const inner = product(lead.slice(i + 1));
        const quotient = inner === 1 ? row : `${row} / ${size(inner)}`;
        return i === 0 ? quotient : `(${quotient}) % ${size(dim)}`;
      });
      return read(0, [...index, at(1)]);
    },
  },
  onnx: (write, [x, rows], node) => {
    const { shape } = node.inputs[0]!.type;
    const flat = write.reshape(x!, shape, [product(shape.slice(0, -1)), shape.at(-1)!]);
    return [write.node("Gather", [flat, rows!], { axis: 0 })];
  },
};
