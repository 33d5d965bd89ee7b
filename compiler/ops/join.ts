// The last two axes as one: [.., m, n] -> [.., m*n]. How heads become a row again.

import type { Op } from "../graph/op.ts";
import { liftLast } from "../unfold/lift.ts";
import { product } from "../values/dims.ts";
import { numbers, refuse } from "./shape.ts";

export const join: Op = {
  name: "join",
  doc: "Joins the last two axes, [.., m, n] -> [.., m * n].",
  call: { tensors: ["x"] },
  type: ([x]) => {
    if (!x || x.shape.length < 2) return refuse("join takes a tensor with at least two axes");
    return { dtype: x.dtype, shape: [...x.shape.slice(0, -2), product(x.shape.slice(-2))] };
  },
  gradient: ({ graph, node, d, wants }) => [
    wants[0] && d[0] ? graph.add("reshape", [d[0]], { shape: node.inputs[0]!.type.shape }) : undefined,
  ],
  lift: liftLast,
  eval: ([x], _attrs, types) => [{ shape: numbers(types[0]!.shape), data: x!.data }],
  flops: () => 0,
  wgsl: { form: "flat" },
  onnx: (write, [x], node) => [write.reshape(x!, node.inputs[0]!.type.shape, node.type.shape)],
};
