// The sum over axes. Its gradient spreads back over them.

import type { Op } from "../graph/op.ts";
import { product } from "../values/dims.ts";
import { reduceType, sumOver } from "./reduce.ts";
import { axesOf, numbers, reducedShape } from "./shape.ts";

export const sum: Op = {
  name: "sum",
  doc: "The sum over axes.",
  call: { tensors: ["x"], attrs: { axes: undefined, keep: false } },
  type: (inputs, attrs) => reduceType("sum", inputs, attrs),
  gradient: ({ graph, node, d, wants }) => {
    const shape = node.inputs[0]!.type.shape;
    if (!wants[0] || !d[0]) return [undefined];
    const kept = graph.add("reshape", [d[0]], { shape: reducedShape(shape, axesOf(node.attrs.axes, shape.length)!, true) });
    return [graph.add("broadcast", [kept], { shape })];
  },
  lift: ({ graph, node, inputs: [x] }) => {
    const axes = axesOf(node.attrs.axes, node.inputs[0]!.type.shape.length)!;
    return graph.add("sum", [x!.node], { ...node.attrs, axes: axes.map((axis) => axis + 1) }, node.origin);
  },
  eval: ([x], attrs, types) => [{ shape: numbers(types[0]!.shape), data: sumOver(x!, axesOf(attrs.axes, x!.shape.length)!) }],
  flops: ([x]) => product(x!.shape),
  wgsl: { form: "reduce", by: "sum", axes: (attrs, [x]) => axesOf(attrs.axes, x!.shape.length)! },
  onnx: (write, [x], node) => {
    const axes = axesOf(node.attrs.axes, node.inputs[0]!.type.shape.length)!;
    return [axes.length ? write.node("ReduceSum", [x!, write.constant(axes, "i64")], { keepdims: node.attrs.keep === true ? 1 : 0 }) : x!];
  },
};
