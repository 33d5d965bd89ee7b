// The largest element along axes, as a threshold: no gradient flows through it.

import type { Op } from "../graph/op.ts";
import { product } from "../values/dims.ts";
import { reduceType } from "./reduce.ts";
import { axesOf, numbers, positions, reducedShape, stridesOf } from "./shape.ts";

export const largest: Op = {
  name: "largest",
  doc: "The largest element along axes; no gradient flows through it.",
  call: { tensors: ["x"], attrs: { axes: undefined, keep: false } },
  type: (inputs, attrs) => reduceType("largest", inputs, attrs),
  gradient: () => [undefined],
  eval: ([x], attrs, types) => {
    const axes = axesOf(attrs.axes, x!.shape.length)!;
    const kept = reducedShape(x!.shape, axes, true) as number[];
    const own = stridesOf(kept);
    const to = positions(
      x!.shape,
      kept.map((_, i) => (axes.includes(i) ? 0 : own[i]!)),
    );
    const data = new Float64Array(kept.reduce((a, b) => a * b, 1)).fill(Number.NEGATIVE_INFINITY);
    for (let i = 0; i < to.length; i++) data[to[i]!] = Math.max(data[to[i]!]!, x!.data[i]!);
    return [{ shape: numbers(types[0]!.shape), data }];
  },
  flops: ([x]) => product(x!.shape),
  wgsl: { form: "reduce", by: "max", axes: (attrs, [x]) => axesOf(attrs.axes, x!.shape.length)! },
  onnx: (write, [x], node) => {
    const axes = axesOf(node.attrs.axes, node.inputs[0]!.type.shape.length)!;
    return [axes.length ? write.node("ReduceMax", [x!, write.constant(axes, "i64")], { keepdims: node.attrs.keep === true ? 1 : 0 }) : x!];
  },
};
