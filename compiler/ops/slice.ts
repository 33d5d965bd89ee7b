// A range of one axis. Its gradient puts zeros around.

import type { Op } from "../graph/op.ts";
import { add, at, type Dim, isConcrete, subtract } from "../values/dims.ts";
import { axisOf, numbers, positions, refuse, show, stridesOf } from "./shape.ts";

export const slice: Op = {
  name: "slice",
  doc: "The range [from, to) of an axis, by default the last.",
  call: { tensors: ["x"], attrs: { from: undefined, to: undefined, axis: -1 } },
  sizes: ["from", "to"],
  type: ([x], attrs) => {
    if (!x) return refuse("slice takes one tensor");
    const axis = axisOf(attrs.axis ?? -1, x.shape.length);
    if (axis === undefined) return refuse(`slice: ${show(x.shape)} has no axis ${String(attrs.axis)}`);
    const from = attrs.from as Dim;
    const to = attrs.to as Dim;
    const size = x.shape[axis]!;
    const length = subtract(to, from);
    const over = subtract(size, to);
    const negative = (dim: Dim) => isConcrete(dim) && dim < 0;
    if (negative(from) || negative(length) || negative(over))
      return refuse(`slice: ${from} to ${to} is not a range of an axis of size ${size}`);
    return { dtype: x.dtype, shape: x.shape.map((dim, i) => (i === axis ? length : dim)) };
  },
  gradient: ({ graph, node, d, wants }) => {
    const shape = node.inputs[0]!.type.shape;
    const axis = axisOf(node.attrs.axis ?? -1, shape.length)!;
    if (!wants[0] || !d[0]) return [undefined];
    const before = node.attrs.from as Dim;
    return [graph.add("pad", [d[0]], { axis, before, after: subtract(shape[axis]!, add(before, node.type.shape[axis]!)) })];
  },
  lift: ({ graph, node, inputs: [x] }) => {
    const axis = axisOf(node.attrs.axis ?? -1, node.type.shape.length)! + 1;
    return graph.add("slice", [x!.node], { ...node.attrs, axis }, node.origin);
  },
  eval: ([x], attrs, types) => {
    const shape = numbers(types[0]!.shape);
    const strides = stridesOf(x!.shape);
    const from = positions(shape, strides, at(attrs.from as Dim, {}) * strides[axisOf(attrs.axis ?? -1, shape.length)!]!);
    return [{ shape, data: Float64Array.from(from, (place) => x!.data[place]!) }];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "view",
    element: ({ at, read, size, output }, attrs) => {
      const axis = axisOf(attrs.axis ?? -1, output.shape.length)!;
      return read(
        0,
        output.shape.map((_, i) => (i === axis ? `${at(i)} + ${size(attrs.from as Dim)}` : at(i))),
      );
    },
    keepsFour: (attrs, [x], output) => {
      const quarter = (dim: Dim) => isConcrete(dim) && dim % 4 === 0;
      const last = axisOf(attrs.axis ?? -1, output.shape.length) === output.shape.length - 1;
      return quarter(x!.shape.at(-1)!) && quarter(output.shape.at(-1)!) && (!last || quarter(attrs.from as Dim));
    },
  },
  onnx: (write, [x], node) => {
    const axis = axisOf(node.attrs.axis ?? -1, node.type.shape.length)!;
    const bounds = [write.shape([node.attrs.from as Dim]), write.shape([node.attrs.to as Dim])];
    return [write.node("Slice", [x!, ...bounds, write.constant([axis], "i64")])];
  },
};
