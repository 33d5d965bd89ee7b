// Tensors one after another along an axis.

import type { Op } from "../graph/op.ts";
import { add, type Dim } from "../values/dims.ts";
import { axisOf, numbers, positions, refuse, sameShape, show, stridesOf, zeros } from "./shape.ts";

export const concat: Op = {
  name: "concat",
  doc: "Tensors one after another along an axis.",
  call: { tensors: ["a", "b"], attrs: { axis: -1 } },
  type: (inputs, attrs) => {
    const first = inputs[0];
    if (!first) return refuse("concat needs at least one tensor");
    const axis = axisOf(attrs.axis ?? -1, first.shape.length);
    if (axis === undefined) return refuse(`concat: ${show(first.shape)} has no axis ${String(attrs.axis)}`);
    const rest = (shape: readonly Dim[]) => shape.filter((_, i) => i !== axis);
    for (const other of inputs)
      if (other.dtype !== first.dtype || other.shape.length !== first.shape.length || !sameShape(rest(first.shape), rest(other.shape)))
        return refuse(`concat: ${first.dtype}${show(first.shape)} and ${other.dtype}${show(other.shape)} differ beside axis ${axis}`);
    const total = inputs.map((t) => t.shape[axis]!).reduce(add);
    return { dtype: first.dtype, shape: first.shape.map((dim, i) => (i === axis ? total : dim)) };
  },
  gradient: ({ graph, node, d, wants }) => {
    const axis = axisOf(node.attrs.axis ?? -1, node.type.shape.length)!;
    let from: Dim = 0;
    return node.inputs.map((input, i) => {
      const start = from;
      from = add(from, input.type.shape[axis]!);
      return wants[i] && d[0] ? graph.add("slice", [d[0]], { axis, from: start, to: from }) : undefined;
    });
  },
  lift: ({ graph, node, inputs, rows }) => {
    const axis = axisOf(node.attrs.axis ?? -1, node.type.shape.length)! + 1;
    const parts = inputs.map((input) =>
      input.lifted ? input.node : graph.add("broadcast", [input.node], { shape: [rows, ...input.node.type.shape] }),
    );
    return graph.add("concat", parts, { ...node.attrs, axis }, node.origin);
  },
  eval: (inputs, attrs, types) => {
    const out = zeros(types[0]!);
    const strides = stridesOf(numbers(types[0]!.shape));
    const axis = axisOf(attrs.axis ?? -1, strides.length)!;
    let start = 0;
    for (const x of inputs) {
      const to = positions(x.shape, strides, start * strides[axis]!);
      for (let i = 0; i < to.length; i++) out.data[to[i]!] = x.data[i]!;
      start += x.shape[axis]!;
    }
    return [out];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ at, read, size, inputs, output, name }, attrs) => {
      const axis = axisOf(attrs.axis ?? -1, output.shape.length)!;
      let start: Dim = 0;
      let text = "";
      // The last part that starts at or before the place; the others read some element of theirs and are not chosen.
      for (const [part, { shape }] of inputs.entries()) {
        const place = name(`min(${at(axis)} - ${size(start)}, ${size(shape[axis]!)} - 1u)`);
        const value = read(
          part,
          output.shape.map((_, i) => (i === axis ? place : at(i))),
        );
        text = part === 0 ? value : `select(${text}, ${value}, ${at(axis)} >= ${size(start)})`;
        start = add(start, shape[axis]!);
      }
      return text;
    },
  },
  onnx: (write, inputs, node) => [
    inputs.length === 1 ? inputs[0]! : write.node("Concat", inputs, { axis: axisOf(node.attrs.axis ?? -1, node.type.shape.length)! }),
  ],
};
