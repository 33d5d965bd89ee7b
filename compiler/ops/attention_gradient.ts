// With p = exp(scale·q·k − lse) and δ = Σ dout·out: dv = pᵀ·dout, ds = p·(dout·v − δ), dq = scale·ds·k, dk = scale·dsᵀ·q.
// Grouped key heads collect from all their query heads.

import { multiply, product } from "../dims.ts";
import type { Op } from "../op.ts";
import { attentionType, dot, eachQuery, scaleOf } from "./attention.ts";
import { attentionGradientOnnx } from "./attention_onnx.ts";
import { refuse, sameShape, show } from "./shape.ts";
import { wantedOf } from "./wanted.ts";

export const attention_gradient: Op = {
  name: "attention_gradient",
  doc: "The gradients of `attention`, with the probabilities recomputed; `wants` says which.",
  mixes: "time",
  type: (inputs, attrs) => {
    const type = attentionType(inputs);
    if ("problem" in type) return type;
    const [query, key, value, , out, , dout] = inputs;
    if (!out || !dout || !sameShape(out.shape, type.shape) || !sameShape(dout.shape, type.shape))
      return refuse(`attention_gradient: ${show(dout?.shape ?? [])} is not the shape of the result`);
    return wantedOf(attrs).map((name) => (name === "query" ? query! : name === "key" ? key! : value!));
  },
  eval: ([query, key, value, positions, out, lse, dout], attrs) => {
    const width = query!.shape[3]!;
    const scale = scaleOf(attrs, width);
    const [dq, dk, dv] = [query!, key!, value!].map((x) => ({ shape: x.shape, data: new Float64Array(x.data.length) })) as [
      { shape: readonly number[]; data: Float64Array },
      { shape: readonly number[]; data: Float64Array },
      { shape: readonly number[]; data: Float64Array },
    ];
    eachQuery(query!, key!, positions!, attrs.causal !== false, ({ q, k, stride, seen, index }) => {
      const along = dot(dout!.data, q, out!.data, q, width);
      for (let j = 0; j < seen; j++) {
        const slot = k + j * stride;
        const p = Math.exp(scale * dot(query!.data, q, key!.data, slot, width) - lse!.data[index]!);
        const ds = scale * p * (dot(dout!.data, q, value!.data, slot, width) - along);
        for (let c = 0; c < width; c++) {
          dv.data[slot + c]! += p * dout!.data[q + c]!;
          dq.data[q + c]! += ds * key!.data[slot + c]!;
          dk.data[slot + c]! += ds * query!.data[q + c]!;
        }
      }
    });
    return wantedOf(attrs).map((name) => (name === "query" ? dq : name === "key" ? dk : dv));
  },
  flops: ([query, key], attrs) => multiply(multiply(4 + 2 * wantedOf(attrs).length, product(query!.shape)), key!.shape[1]!),
  wgsl: {
    form: "attention_gradient",
    scale: scaleOf,
    causal: (attrs) => attrs.causal !== false,
    outputs: (attrs) => wantedOf(attrs) as readonly ("query" | "key" | "value")[],
  },
  onnx: attentionGradientOnnx,
};
