// The same elements in the same order under another shape.

import type { Op } from "../graph/op.ts";
import { dimsOf, numbers, refuse, sameSize, show } from "./shape.ts";

export const reshape: Op = {
  name: "reshape",
  doc: "The same elements in the same order under another shape.",
  call: { tensors: ["x"], attrs: { shape: undefined } },
  sizes: ["shape"],
  type: ([x], attrs) => {
    const shape = dimsOf(attrs.shape);
    if (!x) return refuse("reshape takes one tensor");
    if (!sameSize(x.shape, shape)) return refuse(`reshape: ${show(x.shape)} and ${show(shape)} hold different numbers of elements`);
    return { dtype: x.dtype, shape };
  },
  gradient: ({ graph, node, d, wants }) => [
    wants[0] && d[0] ? graph.add("reshape", [d[0]], { shape: node.inputs[0]!.type.shape }) : undefined,
  ],
  lift: ({ graph, node, inputs: [x], rows }) => graph.add("reshape", [x!.node], { shape: [rows, ...node.type.shape] }, node.origin),
  eval: ([x], _attrs, types) => [{ shape: numbers(types[0]!.shape), data: x!.data }],
  flops: () => 0,
  wgsl: { form: "flat" },
  onnx: (write, [x], node) => [write.reshape(x!, node.inputs[0]!.type.shape, node.type.shape)],
};
