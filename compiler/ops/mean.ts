// The mean over axes. The count may be a symbol, so its gradient divides by a `size` node.

import type { Op } from "../graph/op.ts";
import { product } from "../values/dims.ts";
import { reduceType, sumOver } from "./reduce.ts";
import { axesOf, numbers, reducedShape } from "./shape.ts";

export const mean: Op = {
  name: "mean",
  doc: "The mean over axes.",
  call: { tensors: ["x"], attrs: { axes: undefined, keep: false } },
  type: (inputs, attrs) => reduceType("mean", inputs, attrs),
  gradient: ({ graph, node, d, wants }) => {
    const shape = node.inputs[0]!.type.shape;
    if (!wants[0] || !d[0]) return [undefined];
    const axes = axesOf(node.attrs.axes, shape.length)!;
    const kept = graph.add("reshape", [d[0]], { shape: reducedShape(shape, axes, true) });
    const count = graph.add("size", [], { of: axes.map((axis) => shape[axis]!) });
    return [graph.add("broadcast", [graph.add("div", [kept, count])], { shape })];
  },
  lift: ({ graph, node, inputs: [x] }) => {
    const axes = axesOf(node.attrs.axes, node.inputs[0]!.type.shape.length)!;
    return graph.add("mean", [x!.node], { ...node.attrs, axes: axes.map((axis) => axis + 1) }, node.origin);
  },
  eval: ([x], attrs, types) => {
    const axes = axesOf(attrs.axes, x!.shape.length)!;
    const total = axes.reduce((n, axis) => n * x!.shape[axis]!, 1);
    return [{ shape: numbers(types[0]!.shape), data: sumOver(x!, axes).map((v) => v / total) }];
  },
  flops: ([x]) => product(x!.shape),
  wgsl: { form: "reduce", by: "sum", mean: true, axes: (attrs, [x]) => axesOf(attrs.axes, x!.shape.length)! },
  onnx: (write, [x], node) => {
    const axes = axesOf(node.attrs.axes, node.inputs[0]!.type.shape.length)!;
    return [axes.length ? write.node("ReduceMean", [x!, write.constant(axes, "i64")], { keepdims: node.attrs.keep === true ? 1 : 0 }) : x!];
  },
};
