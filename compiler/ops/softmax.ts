// Exponentials of an axis, divided by their sum.

import type { Op } from "../graph/op.ts";
import { multiply, product } from "../values/dims.ts";
import { axisOf, isFloat, refuse, show, stridesOf } from "./shape.ts";

/** Calls `visit` with the positions of each line along the axis. */
export const lines = (shape: readonly number[], axis: number, visit: (places: readonly number[]) => void): void => {
  const stride = stridesOf(shape)[axis]!;
  const length = shape[axis]!;
  const all = shape.reduce((a, b) => a * b, 1);
  for (let i = 0; i < all; i++) if (Math.floor(i / stride) % length === 0) visit(Array.from({ length }, (_, k) => i + k * stride));
};

export const softmax: Op = {
  name: "softmax",
  doc: "Exponentials along an axis, by default the last, divided by their sum.",
  call: { tensors: ["x"], attrs: { axis: -1 } },
  type: ([x], attrs) => {
    if (!x || !isFloat(x)) return refuse("softmax takes one floating-point tensor");
    if (axisOf(attrs.axis ?? -1, x.shape.length) === undefined)
      return refuse(`softmax: ${show(x.shape)} has no axis ${String(attrs.axis)}`);
    return x;
  },
  gradient: ({ graph, node, d, wants }) => [
    wants[0] && d[0] ? graph.add("softmax_gradient", [node, d[0]], { axis: node.attrs.axis ?? -1 }) : undefined,
  ],
  eval: ([x], attrs) => {
    const data = new Float64Array(x!.data.length);
    lines(x!.shape, axisOf(attrs.axis ?? -1, x!.shape.length)!, (places) => {
      const top = Math.max(...places.map((p) => x!.data[p]!));
      const total = places.reduce((sum, p) => sum + Math.exp(x!.data[p]! - top), 0);
      for (const p of places) data[p] = Math.exp(x!.data[p]! - top) / total;
    });
    return [{ shape: x!.shape, data }];
  },
  flops: ([x]) => multiply(5, product(x!.shape)),
  wgsl: {
    form: "row",
    along: 0,
    axis: (attrs, rank) => axisOf(attrs.axis ?? -1, rank)!,
    roles: ["element"],
    reductions: [
      { name: "top", by: "max", of: ({ args: [x] }) => x! },
      { name: "total", by: "sum", of: ({ args: [x], reduced: { top } }) => `exp(${x} - ${top})` },
    ],
    outputs: () => [{ per: "element", value: ({ args: [x], reduced: { top, total } }) => `exp(${x} - ${top}) / ${total}` }],
  },
  onnx: (write, inputs, node) => [write.node("Softmax", inputs, { axis: axisOf(node.attrs.axis ?? -1, node.type.shape.length)! })],
};
