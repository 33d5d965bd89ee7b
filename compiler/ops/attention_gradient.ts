// With p = exp(score − lse) and δ = Σ dout·out: dv = pᵀ·dout, ds = p·(dout·v − δ), dq = scale·ds·k, dk = scale·dsᵀ·q, where ds
// is first multiplied with the slope of a softcap. The bias of a distance collects the ds of all scores at that distance.
// Grouped key heads collect from all their query heads.

import type { TensorType } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/op.ts";
import { multiply, product } from "../values/dims.ts";
import { attentionType, biasAt, dot, eachQuery, scaleOf, scoreOf, softcapOf } from "./attention.ts";
import { attentionGradientOnnx, attentionHolds } from "./attention_onnx.ts";
import { memorySlots } from "./memory-slots.ts";
import { refuse, sameShape, show } from "./shape.ts";
import { wantedOf } from "./wanted.ts";

export const attention_gradient: Op = {
  name: "attention_gradient",
  doc: "The gradients of `attention`, with the probabilities recomputed; `wants` says which.",
  mixes: "time",
  sizes: ["memory"],
  type: (inputs, attrs) => {
    const type = attentionType(inputs.slice(0, 4));
    if ("problem" in type) return type;
    const [query, key, value, , out, , dout, bias] = inputs;
    const biased = attentionType([...inputs.slice(0, 4), ...(bias ? [bias] : [])]);
    if ("problem" in biased) return biased;
    if (!out || !dout || !sameShape(out.shape, type.shape) || !sameShape(dout.shape, type.shape))
      return refuse(`attention_gradient: ${show(dout?.shape ?? [])} is not the shape of the result`);
    const like: Readonly<Record<string, TensorType | undefined>> = { query, key, value, bias };
    return wantedOf(attrs).map((name) => like[name]!);
  },
  eval: ([query, key, value, sees, out, lse, dout, bias], attrs) => {
    const width = query!.shape[3]!;
    const scale = scaleOf(attrs, width);
    const like = (x: Tensor): Tensor => ({ shape: x.shape, data: new Float64Array(x.data.length) });
    const [dq, dk, dv, dbias] = [like(query!), like(key!), like(value!), bias && like(bias)] as const;
    eachQuery(query!, key!, sees!, attrs, (place) => {
      const { q, k, stride, slots, index, head, position } = place;
      const along = dot(dout!.data, q, out!.data, q, width);
      for (const j of slots) {
        const slot = k + j * stride;
        const { score, slope } = scoreOf(query!, key!, bias, place, j, attrs);
        const p = Math.exp(score - lse!.data[index]!);
        const rise = p * (dot(dout!.data, q, value!.data, slot, width) - along);
        if (bias && dbias) dbias.data[head * bias.shape[1]! + biasAt(j, position, attrs.zero as number, bias.shape[1]!)]! += rise;
        const ds = scale * slope * rise;
        for (let c = 0; c < width; c++) {
          dv.data[slot + c]! += p * dout!.data[q + c]!;
          dq.data[q + c]! += ds * key!.data[slot + c]!;
          dk.data[slot + c]! += ds * query!.data[q + c]!;
        }
      }
    });
    const found: Readonly<Record<string, Tensor | undefined>> = { query: dq, key: dk, value: dv, bias: dbias };
    return wantedOf(attrs).map((name) => found[name]!);
  },
  flops: ([query, key], attrs) => multiply(multiply(4 + 2 * wantedOf(attrs).length, product(query!.shape)), key!.shape[1]!),
  wgsl: {
    form: "attention_gradient",
    scale: scaleOf,
    softcap: softcapOf,
    causal: (attrs) => attrs.causal !== false,
    memory: memorySlots,
    outputs: (attrs) => wantedOf(attrs) as readonly ("query" | "key" | "value" | "bias")[],
  },
  holds: attentionHolds,
  onnx: attentionGradientOnnx,
};
