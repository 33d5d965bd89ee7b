// Scaled dot-product attention with grouped heads (Vaswani et al. 2017; Ainslie et al. 2023). Query i of row b sees key slot j
// when j <= positions[b, i], so one op serves training (slots are tokens), packing and generation (slots are the cache).
// Every query must see at least one slot. The second output is log Σ exp(scores), from which the gradient op recomputes
// the probabilities (Dao et al. 2022) instead of keeping them.

import { divide, multiply, product } from "../dims.ts";
import type { Attrs, Dim, TensorType } from "../graph.ts";
import type { Op, Problem, Tensor } from "../op.ts";
import { attentionOnnx } from "./attention_onnx.ts";
import { isFloat, isWhole, numbers, open, refuse, sameShape, show, zeros } from "./shape.ts";
import { gradientNode } from "./wanted.ts";

export const attentionType = (inputs: readonly TensorType[]): TensorType | Problem => {
  const [query, key, value, positions] = inputs;
  if (!query || !key || !value || !positions) return refuse("attention takes query, key, value and positions");
  for (const [name, x] of [
    ["query", query],
    ["key", key],
    ["value", value],
  ] as const)
    if (x.shape.length !== 4 || !isFloat(x))
      return refuse(`attention: the ${name} must be [rows, tokens, heads, width], not ${x.dtype}${show(x.shape)}`);
  const [b, t, h, d] = query.shape as [Dim, Dim, Dim, Dim];
  const [kb, , g, kd] = key.shape as [Dim, Dim, Dim, Dim];
  if (!sameShape(key.shape, value.shape)) return refuse(`attention: key ${show(key.shape)} and value ${show(value.shape)} differ`);
  if (kb !== b || (kd !== d && !open(kd, d))) return refuse(`attention: query ${show(query.shape)} and key ${show(key.shape)} do not fit`);
  if (divide(h, g) === undefined) return refuse(`attention: ${h} query heads cannot share ${g} key heads; the first must be a multiple`);
  if (!isWhole(positions) || !sameShape(positions.shape, [b, t]))
    return refuse(`attention: positions must be whole numbers ${show([b, t])}, not ${positions.dtype}${show(positions.shape)}`);
  return query;
};

export const scaleOf = (attrs: Attrs, width: number): number => (typeof attrs.scale === "number" ? attrs.scale : 1 / Math.sqrt(width));

/** Calls `visit` for each query with the slots it sees: offsets of the query's row and of its first key row, and their stride. */
export const eachQuery = (
  query: Tensor,
  key: Tensor,
  positions: Tensor,
  causal: boolean,
  visit: (place: { q: number; k: number; stride: number; seen: number; index: number }) => void,
): void => {
  const [b, t, h, d] = query.shape as [number, number, number, number];
  const [, s, g] = key.shape as [number, number, number];
  for (let row = 0; row < b; row++)
    for (let i = 0; i < t; i++)
      for (let head = 0; head < h; head++) {
        const index = (row * t + i) * h + head;
        const group = Math.floor(head / (h / g));
        const seen = causal ? Math.min(s, positions.data[row * t + i]! + 1) : s;
        visit({ q: index * d, k: (row * s * g + group) * d, stride: g * d, seen, index });
      }
};

export const dot = (a: Float64Array, i: number, b: Float64Array, j: number, n: number): number => {
  let total = 0;
  for (let k = 0; k < n; k++) total += a[i + k]! * b[j + k]!;
  return total;
};

export const attention: Op = {
  name: "attention",
  doc: "Scaled dot-product attention; query i sees key slot j when j <= positions[i].",
  call: { tensors: ["query", "key", "value", "positions"], attrs: { causal: true, scale: "auto" } },
  mixes: "time",
  cache: { inputs: [1, 2], positions: 3 },
  type: (inputs) => {
    const type = attentionType(inputs);
    return "problem" in type ? type : [type, { dtype: "f32", shape: type.shape.slice(0, 3) }];
  },
  gradient: (context) => {
    const { graph, node, d } = context;
    if (d[1]) throw new Error("nothing may differentiate through attention's log-sum-exp");
    if (!d[0]) return node.inputs.map(() => undefined);
    const inputs = [...node.inputs, graph.pick(node, 0), graph.pick(node, 1), d[0]];
    return gradientNode(context, "attention_gradient", ["query", "key", "value"], inputs, node.attrs);
  },
  eval: ([query, key, value, positions], attrs, types) => {
    const [out, lse] = types.map(zeros) as [Tensor, Tensor];
    const width = query!.shape[3]!;
    const scale = scaleOf(attrs, width);
    eachQuery(query!, key!, positions!, attrs.causal !== false, ({ q, k, stride, seen, index }) => {
      const scores = Array.from({ length: seen }, (_, j) => scale * dot(query!.data, q, key!.data, k + j * stride, width));
      const top = Math.max(...scores);
      const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
      lse.data[index] = top + Math.log(total);
      scores.forEach((score, j) => {
        const p = Math.exp(score - top) / total;
        for (let c = 0; c < width; c++) out.data[q + c]! += p * value!.data[k + j * stride + c]!;
      });
    });
    return [
      { shape: numbers(types[0]!.shape), data: out.data },
      { shape: numbers(types[1]!.shape), data: lse.data },
    ];
  },
  flops: ([query, key]) => multiply(multiply(4, product(query!.shape)), key!.shape[1]!),
  wgsl: { form: "attention", scale: scaleOf, causal: (attrs) => attrs.causal !== false },
  onnx: attentionOnnx,
};
