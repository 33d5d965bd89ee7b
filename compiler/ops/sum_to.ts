// The reverse of broadcasting: sums every axis on which `shape` would have been repeated.

import type { Dim } from "../graph/graph.ts";
import type { Op } from "../graph/op.ts";
import { product } from "../values/dims.ts";
import { sumOver } from "./reduce.ts";
import { broadcastShape, dimsOf, numbers, reducedShape, refuse, sameShape, show } from "./shape.ts";

/** Axes of `from` that broadcasting `to` into it repeats. */
const repeated = (from: readonly Dim[], to: readonly Dim[]): number[] => {
  const lead = from.length - to.length;
  return from.flatMap((dim, i) => (i < lead || (to[i - lead] === 1 && dim !== 1) ? [i] : []));
};

export const sum_to: Op = {
  name: "sum_to",
  doc: "The sum over the axes that broadcasting to this shape had repeated.",
  sizes: ["shape"],
  type: ([x], attrs) => {
    const shape = dimsOf(attrs.shape);
    if (!x) return refuse("sum_to takes one tensor");
    const wide = broadcastShape(x.shape, shape);
    if (!wide || !sameShape(wide, x.shape)) return refuse(`sum_to: ${show(shape)} does not broadcast to ${show(x.shape)}`);
    return { dtype: x.dtype, shape };
  },
  gradient: ({ graph, node, d, wants }) => [
    wants[0] && d[0] ? graph.add("broadcast", [d[0]], { shape: node.inputs[0]!.type.shape }) : undefined,
  ],
  eval: ([x], _attrs, types) => {
    const shape = numbers(types[0]!.shape);
    return [{ shape, data: sumOver(x!, repeated(x!.shape, shape)) }];
  },
  flops: ([x]) => product(x!.shape),
  wgsl: { form: "reduce", by: "sum", axes: (attrs, [x]) => repeated(x!.shape, dimsOf(attrs.shape)) },
  onnx: (write, [x], node) => {
    const from = node.inputs[0]!.type.shape;
    const to = node.type.shape;
    const axes = repeated(from, to);
    const lead = from.length - to.length;
    if (!axes.length) return [x!];
    // Leading axes vanish; when only those are summed no reshape is needed.
    const keep = axes.some((axis) => axis >= lead);
    const summed = write.node("ReduceSum", [x!, write.constant(axes, "i64")], { keepdims: keep ? 1 : 0 });
    return [keep ? write.reshape(summed, reducedShape(from, axes, true), to) : summed];
  },
};
