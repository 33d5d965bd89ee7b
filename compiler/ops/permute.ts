// Axes in another order: axis i of the result is axis order[i] of the input.

import type { Op } from "../graph/op.ts";
import { axisOf, numbers, positions, refuse, show, stridesOf } from "./shape.ts";

const orderOf = (attr: unknown, rank: number): number[] | undefined => {
  const order = (Array.isArray(attr) ? attr : []).map((axis) => axisOf(axis, rank));
  return order.length === rank && new Set(order).size === rank && !order.includes(undefined) ? (order as number[]) : undefined;
};

export const permute: Op = {
  name: "permute",
  doc: "The axes in another order.",
  call: { tensors: ["x"], attrs: { order: undefined } },
  type: ([x], attrs) => {
    if (!x) return refuse("permute takes one tensor");
    const order = orderOf(attrs.order, x.shape.length);
    if (!order) return refuse(`permute: ${JSON.stringify(attrs.order)} does not name every axis of ${show(x.shape)} once`);
    return { dtype: x.dtype, shape: order.map((axis) => x.shape[axis]!) };
  },
  gradient: ({ graph, node, d, wants }) => {
    if (!wants[0] || !d[0]) return [undefined];
    const order = orderOf(node.attrs.order, node.type.shape.length)!;
    return [graph.add("permute", [d[0]], { order: order.map((_, axis) => order.indexOf(axis)) })];
  },
  lift: ({ graph, node, inputs: [x] }) => {
    const order = orderOf(node.attrs.order, node.type.shape.length)!;
    return graph.add("permute", [x!.node], { order: [0, ...order.map((axis) => axis + 1)] }, node.origin);
  },
  eval: ([x], attrs, types) => {
    const shape = numbers(types[0]!.shape);
    const strides = stridesOf(x!.shape);
    const from = positions(
      shape,
      orderOf(attrs.order, shape.length)!.map((axis) => strides[axis]!),
    );
    return [{ shape, data: Float64Array.from(from, (place) => x!.data[place]!) }];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "view",
    element: ({ at, read, output }, attrs) => {
      const order = orderOf(attrs.order, output.shape.length)!;
      return read(
        0,
        order.map((_, axis) => at(order.indexOf(axis))),
      );
    },
    axes: (attrs, _inputs, output) => orderOf(attrs.order, output.shape.length)!,
  },
  onnx: (write, [x], node) => [write.node("Transpose", [x!], { perm: orderOf(node.attrs.order, node.type.shape.length)! })],
};
