// Zeros before and after an axis: the gradient of slice.

import type { Op } from "../graph/op.ts";
import { add, at, type Dim } from "../values/dims.ts";
import { axisOf, isFloat, numbers, positions, refuse, show, stridesOf, zeros } from "./shape.ts";

export const pad: Op = {
  name: "pad",
  doc: "Zeros before and after an axis.",
  sizes: ["before", "after"],
  type: ([x], attrs) => {
    if (!x) return refuse("pad takes one tensor");
    const axis = axisOf(attrs.axis, x.shape.length);
    if (axis === undefined) return refuse(`pad: ${show(x.shape)} has no axis ${String(attrs.axis)}`);
    const extra = add(attrs.before as Dim, attrs.after as Dim);
    return { dtype: x.dtype, shape: x.shape.map((dim, i) => (i === axis ? add(dim, extra) : dim)) };
  },
  gradient: ({ graph, node, d, wants }) => {
    const shape = node.inputs[0]!.type.shape;
    const axis = axisOf(node.attrs.axis, shape.length)!;
    const from = node.attrs.before as Dim;
    return [wants[0] && d[0] ? graph.add("slice", [d[0]], { axis, from, to: add(from, shape[axis]!) }) : undefined];
  },
  lift: ({ graph, node, inputs: [x] }) =>
    graph.add("pad", [x!.node], { ...node.attrs, axis: axisOf(node.attrs.axis, node.type.shape.length)! + 1 }, node.origin),
  eval: ([x], attrs, types) => {
    const out = zeros(types[0]!);
    const strides = stridesOf(numbers(types[0]!.shape));
    const to = positions(x!.shape, strides, at(attrs.before as Dim, {}) * strides[axisOf(attrs.axis, strides.length)!]!);
    for (let i = 0; i < to.length; i++) out.data[to[i]!] = x!.data[i]!;
    return [out];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ at, read, size, inputs, output, name }, attrs) => {
      const axis = axisOf(attrs.axis, output.shape.length)!;
      // Before the start the difference wraps around and is large: one comparison tests both ends.
      const place = name(`${at(axis)} - ${size(attrs.before as Dim)}`);
      const length = size(inputs[0]!.shape[axis]!);
      const value = read(
        0,
        output.shape.map((_, i) => (i === axis ? `min(${place}, max(${length}, 1u) - 1u)` : at(i))),
      );
      return `select(${isFloat(output) ? "0.0" : `${output.dtype === "i32" ? "0i" : "0u"}`}, ${value}, ${place} < ${length})`;
    },
  },
  onnx: (write, [x], node) => {
    const axis = axisOf(node.attrs.axis, node.type.shape.length)!;
    const amounts = write.shape([node.attrs.before as Dim, node.attrs.after as Dim]);
    return [write.node("Pad", [x!, amounts, "", write.constant([axis], "i64")])];
  },
};
