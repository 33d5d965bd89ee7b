// y = x · r · weight with r = 1 / √(mean(x²) + eps), over the last axis (Zhang and Sennrich 2019).

import type { Op } from "../graph/op.ts";
import { liftLast } from "../unfold/lift.ts";
import { multiply, product } from "../values/dims.ts";
import { isFloat, isScalar, refuse, sameShape, show } from "./shape.ts";
import { gradientNode } from "./wanted.ts";

export const rms_norm: Op = {
  name: "rms_norm",
  doc: "The last axis divided by its root mean square, times a weight.",
  call: { tensors: ["x", "weight"], attrs: { eps: undefined } },
  type: ([x, weight], attrs) => {
    if (!x || !weight || !isFloat(x)) return refuse("rms_norm takes a floating-point tensor and a weight");
    if (!isScalar(attrs.eps)) return refuse("rms_norm needs eps, a small number");
    if (!sameShape(weight.shape, x.shape.slice(-1)))
      return refuse(`rms_norm: the weight ${show(weight.shape)} is not the last axis of ${show(x.shape)}`);
    return x;
  },
  gradient: (context) => {
    const { node, d } = context;
    if (!d[0]) return [undefined, undefined];
    return gradientNode(context, "rms_norm_gradient", ["x", "weight"], [...node.inputs, d[0]], { eps: node.attrs.eps! });
  },
  lift: liftLast,
  eval: ([x, weight], attrs) => {
    const width = weight!.data.length;
    const data = new Float64Array(x!.data.length);
    for (let row = 0; row < data.length; row += width) {
      let squares = 0;
      for (let k = 0; k < width; k++) squares += x!.data[row + k]! ** 2;
      const r = 1 / Math.sqrt(squares / width + (attrs.eps as number));
      for (let k = 0; k < width; k++) data[row + k] = x!.data[row + k]! * r * weight!.data[k]!;
    }
    return [{ shape: x!.shape, data }];
  },
  flops: ([x]) => multiply(4, product(x!.shape)),
  wgsl: {
    form: "row",
    along: 0,
    roles: ["element", "element"],
    reductions: [
      {
        name: "r",
        by: "sum",
        of: ({ args: [x] }) => `${x} * ${x}`,
        finish: ({ reduced: { r }, width, attrs }) => `inverseSqrt(${r} / ${width} + ${attrs.eps})`,
      },
    ],
    outputs: () => [{ per: "element", value: ({ args: [x, weight], reduced: { r } }) => `${x} * ${r} * ${weight}` }],
  },
  onnx: (write, inputs, node) => [
    write.node("SimplifiedLayerNormalization", inputs, { axis: -1, epsilon: { float: node.attrs.eps as number }, stash_type: 1 }),
  ],
};
