// Scaled dot-product attention with grouped heads (Vaswani et al. 2017; Ainslie et al. 2023). A query sees an interval of key
// slots, and `sees` says which: [b, t] holds the last one, [b, t, 2] the first and the last, [b, t, 3] also the query's own
// position. One rule so serves training (slots are tokens: the last is the query's position), generation (slots are the cache),
// windows and packed rows (the first is not 0) and encoders (the last is the row's last token). A query that sees nothing, as padding may,
// hears nothing: both its results are 0.
// The first `memory` slots are seen by every query whatever `sees` says, which is counted behind them.
// `bias` [heads, m] is added to a score by the distance of its slot: element clamp(slot - position + zero, 0, m - 1). `softcap`
// bounds scores as cap·tanh(score / cap) before that. The second output is log Σ exp(scores), from which the gradient op
// recomputes the probabilities (Dao et al. 2022) instead of keeping them.

import type { Attrs, Dim, TensorType } from "../graph/graph.ts";
import type { Op, Problem, Tensor } from "../graph/op.ts";
import { divide, multiply, product } from "../values/dims.ts";
import { attentionHolds, attentionOnnx } from "./attention_onnx.ts";
import { memorySlots } from "./memory-slots.ts";
import { isFloat, isWhole, numbers, open, refuse, sameShape, show, zeros } from "./shape.ts";

export const attentionType = (inputs: readonly TensorType[]): TensorType | Problem => {
  const [query, key, value, sees, bias] = inputs;
  if (!query || !key || !value || !sees) return refuse("attention takes query, key, value and what each query sees");
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
  const parts = sees.shape.length === 3 ? sees.shape[2]! : 1;
  if (!isWhole(sees) || !sameShape(sees.shape.slice(0, 2), [b, t]) || !(parts === 1 || parts === 2 || parts === 3))
    return refuse(
      `attention: what a query sees must be whole numbers ${show([b, t])}, ${show([b, t, 2])} or ${show([b, t, 3])}, not ${sees.dtype}${show(sees.shape)}`,
    );
  if (bias && (bias.shape.length !== 2 || bias.shape[0] !== h || !isFloat(bias)))
    return refuse(`attention: the bias must be [heads, distances] for ${h} heads, not ${bias.dtype}${show(bias.shape)}`);
  return query;
};

/** How many numbers `sees` holds for each query, and which of them is what. */
export const partsOf = (
  sees: TensorType,
): { readonly count: number; readonly first?: number; readonly last: number; readonly position: number } => {
  const count = sees.shape.length === 3 ? (sees.shape[2] as number) : 1;
  return count === 1 ? { count, last: 0, position: 0 } : { count, first: 0, last: 1, position: count - 1 };
};

export const scaleOf = (attrs: Attrs, width: number): number => (typeof attrs.scale === "number" ? attrs.scale : 1 / Math.sqrt(width));

export interface QueryPlace {
  /** Offset of the query's row, and its number in [b, t, h]. */
  readonly q: number;
  readonly index: number;
  /** Offset of slot 0 for the query's key head, and from slot to slot. */
  readonly k: number;
  readonly stride: number;
  /** The slots it sees, ascending. */
  readonly slots: readonly number[];
  readonly head: number;
  /** Of the query itself, counted as slots are. */
  readonly position: number;
}

/** Calls `visit` for each query of each head. */
export const eachQuery = (query: Tensor, key: Tensor, sees: Tensor, attrs: Attrs, visit: (place: QueryPlace) => void): void => {
  const [b, t, h, d] = query.shape as [number, number, number, number];
  const [, s, g] = key.shape as [number, number, number];
  const parts = partsOf({ dtype: "i32", shape: sees.shape });
  const causal = attrs.causal !== false;
  const memory = memorySlots(attrs);
  for (let row = 0; row < b; row++)
    for (let i = 0; i < t; i++) {
      const at = (part: number): number => memory + sees.data[(row * t + i) * parts.count + part]!;
      const to = causal ? Math.min(s, at(parts.last) + 1) : s;
      const from = causal && parts.first !== undefined ? Math.max(0, at(parts.first)) : 0;
      const slots = Array.from({ length: s }, (_, slot) => slot).filter((slot) => slot < memory || (slot >= from && slot < to));
      for (let head = 0; head < h; head++) {
        const index = (row * t + i) * h + head;
        const group = Math.floor(head / (h / g));
        visit({ q: index * d, k: (row * s * g + group) * d, stride: g * d, slots, index, head, position: at(parts.position) });
      }
    }
};

/** Where the bias of a slot stands in a head's line of it. */
export const biasAt = (slot: number, position: number, zero: number, length: number): number =>
  Math.max(0, Math.min(length - 1, slot - position + zero));

const biasOf = (bias: Tensor | undefined, { head, position }: QueryPlace, slot: number, attrs: Attrs): number =>
  bias ? bias.data[head * bias.shape[1]! + biasAt(slot, position, attrs.zero as number, bias.shape[1]!)]! : 0;

export const softcapOf = (attrs: Attrs): number => (typeof attrs.softcap === "number" ? attrs.softcap : 0);

/** The score of one slot, and its slope in scale·q·k. */
export const scoreOf = (
  query: Tensor,
  key: Tensor,
  bias: Tensor | undefined,
  place: QueryPlace,
  slot: number,
  attrs: Attrs,
): { readonly score: number; readonly slope: number } => {
  const width = query.shape[3]!;
  const cap = softcapOf(attrs);
  const plain = scaleOf(attrs, width) * dot(query.data, place.q, key.data, place.k + slot * place.stride, width);
  const turned = cap ? Math.tanh(plain / cap) : 0;
  return { score: (cap ? cap * turned : plain) + biasOf(bias, place, slot, attrs), slope: cap ? 1 - turned * turned : 1 };
};

export const dot = (a: Float64Array, i: number, b: Float64Array, j: number, n: number): number => {
  let total = 0;
  for (let k = 0; k < n; k++) total += a[i + k]! * b[j + k]!;
  return total;
};

export const attention: Op = {
  name: "attention",
  doc: "Scaled dot-product attention; `sees` says which key slots a query sees: the last, or the first and the last.",
  call: {
    tensors: ["query", "key", "value", "sees"],
    optional: ["bias"],
    attrs: { causal: true, scale: "auto", softcap: 0, zero: 0 },
  },
  mixes: "time",
  sizes: ["memory"],
  cache: { inputs: [1, 2], positions: 3 },
  type: (inputs) => {
    const type = attentionType(inputs);
    return "problem" in type ? type : [type, { dtype: "f32", shape: type.shape.slice(0, 3) }];
  },
  gradient: (context) => {
    const { graph, node, d, wants } = context;
    if (d[1]) throw new Error("nothing may differentiate through attention's log-sum-exp");
    if (!d[0]) return node.inputs.map(() => undefined);
    const [query, key, value, sees, bias] = node.inputs as [typeof node, typeof node, typeof node, typeof node, typeof node?];
    const names = ["query", "key", "value", "", "bias"];
    const wanted = names.filter((name, i) => name && wants[i]);
    if (!wanted.length) return node.inputs.map(() => undefined);
    const inputs = [query, key, value, sees, graph.pick(node, 0), graph.pick(node, 1), d[0], ...(bias ? [bias] : [])];
    const made = graph.add("attention_gradient", inputs, { ...node.attrs, wants: wanted });
    return node.inputs.map((_, i) => (wants[i] && names[i] ? graph.pick(made, wanted.indexOf(names[i])) : undefined));
  },
  eval: ([query, key, value, sees, bias], attrs, types) => {
    const [out, lse] = types.map(zeros) as [Tensor, Tensor];
    const width = query!.shape[3]!;
    eachQuery(query!, key!, sees!, attrs, (place) => {
      const { q, k, stride, slots, index } = place;
      const scores = slots.map((slot) => scoreOf(query!, key!, bias, place, slot, attrs).score);
      const top = Math.max(...scores);
      const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
      lse.data[index] = slots.length > 0 ? top + Math.log(total) : 0;
      scores.forEach((score, j) => {
        const p = Math.exp(score - top) / total;
        for (let c = 0; c < width; c++) out.data[q + c]! += p * value!.data[k + slots[j]! * stride + c]!;
      });
    });
    return [
      { shape: numbers(types[0]!.shape), data: out.data },
      { shape: numbers(types[1]!.shape), data: lse.data },
    ];
  },
  flops: ([query, key]) => multiply(multiply(4, product(query!.shape)), key!.shape[1]!),
  wgsl: { form: "attention", scale: scaleOf, softcap: softcapOf, causal: (attrs) => attrs.causal !== false, memory: memorySlots },
  holds: attentionHolds,
  onnx: attentionOnnx,
};
