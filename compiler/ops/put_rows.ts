// Rows written into zeros, at positions of the flattened leading axes: the gradient of take_rows. No row is named twice.

import type { Op } from "../graph/op.ts";
import { product } from "../values/dims.ts";
import { dimsOf, isWhole, refuse, show, zeros } from "./shape.ts";

export const put_rows: Op = {
  name: "put_rows",
  doc: "Zeros of a shape with the rows dy [n, d] at the given positions; no position may repeat.",
  call: { tensors: ["dy", "rows"], attrs: { shape: undefined } },
  sizes: ["shape"],
  type: ([dy, rows], attrs) => {
    const shape = dimsOf(attrs.shape);
    if (!dy || !rows || !isWhole(rows)) return refuse("put_rows takes rows and whole-number positions");
    if (dy.shape.length !== 2 || rows.shape.length !== 1 || dy.shape[0] !== rows.shape[0] || dy.shape[1] !== shape.at(-1))
      return refuse(`put_rows: ${show(dy.shape)} at ${show(rows.shape)} does not fit ${show(shape)}`);
    return { dtype: dy.dtype, shape };
  },
  gradient: ({ graph, node, d, wants }) => [wants[0] && d[0] ? graph.add("take_rows", [d[0], node.inputs[1]!]) : undefined, undefined],
  eval: ([dy, rows], _attrs, types) => {
    const out = zeros(types[0]!);
    const width = dy!.shape[1]!;
    rows!.data.forEach((row, i) => {
      for (let k = 0; k < width; k++) out.data[row * width + k] = dy!.data[i * width + k]!;
    });
    return [out];
  },
  flops: () => 0,
  wgsl: { form: "scatter", value: 0, ids: 1 },
  // The zeros, and what they become before it has its shape.
  holds: (node, bytes) => [[bytes(node.type), bytes(node.type)]],
  onnx: (write, [dy, rows], node) => {
    const { shape, dtype } = node.type;
    const flat = [product(shape.slice(0, -1)), shape.at(-1)!];
    const none = write.node("Expand", [write.constant(0, dtype), write.shape(flat)]);
    const index = write.node("Cast", [write.reshape(rows!, node.inputs[1]!.type.shape, [...node.inputs[1]!.type.shape, 1])], {
      to: write.code("i64"),
    });
    return [write.reshape(write.node("ScatterND", [none, index, dy!]), flat, shape)];
  },
};
