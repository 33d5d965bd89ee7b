// The last axis as two: [.., count*n] -> [.., count, n]. How a projection becomes heads.

import type { Op } from "../graph/op.ts";
import { liftLast } from "../unfold/lift.ts";
import { type Dim, divide } from "../values/dims.ts";
import { numbers, refuse } from "./shape.ts";

export const split: Op = {
  name: "split",
  doc: "Splits the last axis into `count` parts, [.., count * n] -> [.., count, n].",
  call: { tensors: ["x"], attrs: { count: undefined } },
  sizes: ["count"],
  type: ([x], attrs) => {
    const last = x?.shape.at(-1);
    const count = attrs.count as Dim;
    if (!x || last === undefined) return refuse("split takes a tensor with at least one axis");
    const part = divide(last, count);
    if (part === undefined) return refuse(`split: an axis of size ${last} does not divide into ${count} parts`);
    return { dtype: x.dtype, shape: [...x.shape.slice(0, -1), count, part] };
  },
  gradient: ({ graph, d, wants }) => [wants[0] && d[0] ? graph.add("join", [d[0]]) : undefined],
  lift: liftLast,
  eval: ([x], _attrs, types) => [{ shape: numbers(types[0]!.shape), data: x!.data }],
  flops: () => 0,
  wgsl: { form: "flat" },
  onnx: (write, [x], node) => [write.reshape(x!, node.inputs[0]!.type.shape, node.type.shape)],
};
