// y = (x − mean) · r · weight + bias with r = 1 / √(variance + eps), over the last axis (Ba et al. 2016).

import type { Op } from "../graph/op.ts";
import { liftLast } from "../unfold/lift.ts";
import { multiply, product } from "../values/dims.ts";
import { isFloat, isScalar, refuse, sameShape, show } from "./shape.ts";
import { gradientNode } from "./wanted.ts";

export const layer_norm: Op = {
  name: "layer_norm",
  doc: "The last axis to mean 0 and variance 1, times a weight, plus a bias.",
  call: { tensors: ["x", "weight", "bias"], attrs: { eps: undefined } },
  type: ([x, weight, bias], attrs) => {
    if (!x || !weight || !bias || !isFloat(x)) return refuse("layer_norm takes a floating-point tensor, a weight and a bias");
    if (!isScalar(attrs.eps)) return refuse("layer_norm needs eps, a small number");
    for (const side of [weight, bias])
      if (!sameShape(side.shape, x.shape.slice(-1)))
        return refuse(`layer_norm: ${show(side.shape)} is not the last axis of ${show(x.shape)}`);
    return x;
  },
  gradient: (context) => {
    const { node, d } = context;
    if (!d[0]) return [undefined, undefined, undefined];
    return gradientNode(context, "layer_norm_gradient", ["x", "weight", "bias"], [node.inputs[0]!, node.inputs[1]!, d[0]], {
      eps: node.attrs.eps!,
    });
  },
  lift: liftLast,
  eval: ([x, weight, bias], attrs) => {
    const width = weight!.data.length;
    const data = new Float64Array(x!.data.length);
    for (let row = 0; row < data.length; row += width) {
      const { n } = normalised(x!.data.subarray(row, row + width), attrs.eps as number);
      for (let k = 0; k < width; k++) data[row + k] = n[k]! * weight!.data[k]! + bias!.data[k]!;
    }
    return [{ shape: x!.shape, data }];
  },
  flops: ([x]) => multiply(7, product(x!.shape)),
  wgsl: {
    form: "row",
    along: 0,
    roles: ["element", "element", "element"],
    reductions: [
      { name: "mean", by: "sum", of: ({ args: [x] }) => x!, finish: ({ reduced: { mean }, width }) => `${mean} / ${width}` },
      {
        name: "r",
        by: "sum",
        of: ({ args: [x], reduced: { mean } }) => `(${x} - ${mean}) * (${x} - ${mean})`,
        finish: ({ reduced: { r }, width, attrs }) => `inverseSqrt(${r} / ${width} + ${attrs.eps})`,
      },
    ],
    outputs: () => [
      {
        per: "element",
        value: ({ args: [x, weight, bias], reduced: { mean, r } }) => `(${x} - ${mean}) * ${r} * ${weight} + ${bias}`,
      },
    ],
  },
  onnx: (write, inputs, node) => [write.node("LayerNormalization", inputs, { axis: -1, epsilon: { float: node.attrs.eps as number } })],
};

export const normalised = (row: Float64Array, eps: number): { n: Float64Array; r: number } => {
  const mean = row.reduce((a, b) => a + b, 0) / row.length;
  const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
  const r = 1 / Math.sqrt(variance + eps);
  return { n: row.map((v) => (v - mean) * r), r };
};
