// Repeats a tensor to a larger shape, aligned at the last axis.

import type { Op } from "../graph/op.ts";
import { widen } from "../unfold/lift.ts";
import { broadcastShape, broadcastStrides, dimsOf, numbers, positions, refuse, sameShape, show, sumTo } from "./shape.ts";

export const broadcast: Op = {
  name: "broadcast",
  doc: "Repeats axes of size 1, and adds leading axes, up to a shape.",
  call: { tensors: ["x"], attrs: { shape: undefined } },
  sizes: ["shape"],
  type: ([x], attrs) => {
    const shape = dimsOf(attrs.shape);
    if (!x) return refuse("broadcast takes one tensor");
    const wide = broadcastShape(x.shape, shape);
    if (!wide || !sameShape(wide, shape)) return refuse(`broadcast: ${show(x.shape)} does not broadcast to ${show(shape)}`);
    return { dtype: x.dtype, shape };
  },
  gradient: ({ graph, node, d, wants }) => [wants[0] && d[0] ? sumTo(graph, d[0], node.inputs[0]!.type.shape) : undefined],
  lift: ({ graph, node, inputs: [x], rows }) => {
    const shape = node.type.shape;
    return graph.add("broadcast", [widen(graph, x!.node, shape.length)], { shape: [rows, ...shape] }, node.origin);
  },
  eval: ([x], _attrs, types) => {
    const shape = numbers(types[0]!.shape);
    const from = positions(shape, broadcastStrides(x!.shape, shape));
    return [{ shape, data: Float64Array.from(from, (place) => x!.data[place]!) }];
  },
  flops: () => 0,
  wgsl: { form: "element", cost: "view", element: ({ same }) => same(0) },
  onnx: (write, [x], node) => [
    sameShape(node.inputs[0]!.type.shape, node.type.shape) ? x! : write.node("Expand", [x!, write.shape(node.type.shape)]),
  ],
};
