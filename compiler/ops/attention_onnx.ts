// Attention as ONNX nodes, forward and backward. Query heads that share a key head lie next to each other, so
// [b, h, t, d] read as [b, g, (h/g)·t, d] makes each product one batch of matrix products without repeating keys.
// Chosen by measurement on ONNX Runtime's CPU engine: ReduceLogSumExp is 50 times slower than two maxima, a product whose
// left side is read transposed 1.5 times slower than one whose result is transposed, and δ = Σ dout·out is a pass over
// [b, t, h, d] where Σ p·dp would be one over [b, h, t, s].

import { type Dim, divide, isConcrete, multiply } from "../dims.ts";
import type { OnnxWriter } from "../emit/onnx-writer.ts";
import type { Node } from "../graph.ts";
import { partsOf, softcapOf } from "./attention.ts";
import { memorySlots } from "./memory-slots.ts";
import { wantedOf } from "./wanted.ts";

/** The sizes, and the steps that forward and backward share. */
const setUp = (write: OnnxWriter, node: Node, sees: string, bias: string | undefined) => {
  const [b, t, h, d] = node.inputs[0]!.type.shape as [Dim, Dim, Dim, Dim];
  const [, s, g] = node.inputs[1]!.type.shape as [Dim, Dim, Dim, Dim];
  if (!isConcrete(d)) throw new Error("the head width must be known when ONNX is written");
  const scale = typeof node.attrs.scale === "number" ? node.attrs.scale : 1 / Math.sqrt(d);
  const shared = divide(h, g)!;
  const rows = multiply(shared, t);
  const transpose = (name: string, ...perm: number[]) => write.node("Transpose", [name], { perm });
  const seen = node.inputs[3]!.type;
  const parts = partsOf(seen);
  const memory = memorySlots(node.attrs);
  // One of the numbers of `sees`, counted with the memory in front: [b, 1, t, 1].
  const seenPart = (part: number): string => {
    const one =
      parts.count === 1
        ? write.reshape(sees, [b, t], [b, 1, t, 1])
        : write.reshape(
            write.node("Slice", [sees, ...[part, part + 1, 2].map((k) => write.constant([k], "i64"))]),
            [b, t, 1],
            [b, 1, t, 1],
          );
    const whole = write.node("Cast", [one], { to: write.code("i64") });
    return memory > 0 ? write.node("Add", [whole, write.constant([memory], "i64")]) : whole;
  };
  const slots = () =>
    write.node("Range", [write.constant([0], "i64", []), write.node("Squeeze", [write.shape([s])]), write.constant([1], "i64", [])]);
  // 0 where the query sees the slot, else a large negative number: [b, 1, t, s].
  const mask = () => {
    const all = slots();
    const after = write.node("Greater", [all, seenPart(parts.last)]);
    const early = parts.first === undefined ? undefined : write.node("Less", [all, seenPart(parts.first)]);
    const always = early && memory > 0 ? write.node("Less", [all, write.constant([memory], "i64")]) : undefined;
    const before = early && always ? write.node("And", [early, write.node("Not", [always])]) : early;
    const hidden = before === undefined ? after : write.node("Or", [after, before]);
    return write.node("Where", [hidden, write.constant(-1e30), write.constant(0)]);
  };
  // Which element of a head's bias each score takes: [b, t, s].
  const distances = (length: Dim) => {
    const zero = write.constant([node.attrs.zero as number], "i64", []);
    const far = write.node("Add", [write.node("Sub", [slots(), seenPart(parts.position)]), zero]);
    const end = write.node("Sub", [write.node("Squeeze", [write.shape([length])]), write.constant([1], "i64", [])]);
    const least = write.node("Max", [far, write.constant([0], "i64", [])]);
    return write.reshape(write.node("Min", [least, end]), [b, 1, t, s], [b, t, s]);
  };
  const cap = softcapOf(node.attrs);
  /** [b, g, (h/g)·t, s] as [b, h, t, s], which a mask and a softmax want, and back. */
  const perHead = (name: string) => write.reshape(name, [b, g, rows, s], [b, h, t, s]);
  const perGroup = (name: string) => write.reshape(name, [b, h, t, s], [b, g, rows, s]);
  const product = (x: string, y: string, how: { transB?: number; alpha?: { float: number } } = {}) =>
    how.transB || how.alpha ? write.node("com.microsoft.FusedMatMul", [x, y], how) : write.node("MatMul", [x, y]);
  return {
    scale,
    perHead,
    perGroup,
    product,
    transpose,
    /** [b, t, h, d] -> [b, g, (h/g)·t, d] */
    queries: (name: string) => write.reshape(transpose(name, 0, 2, 1, 3), [b, h, t, d], [b, g, rows, d]),
    /** [b, t, h, d] -> [b, g, d, (h/g)·t] */
    queriesDown: (name: string) => {
      if (h === g) return transpose(name, 0, 2, 3, 1);
      const apart = write.reshape(name, [b, t, h, d], [b, t, g, shared, d]);
      return write.reshape(transpose(apart, 0, 2, 4, 3, 1), [b, g, d, shared, t], [b, g, d, rows]);
    },
    /** [b, g, (h/g)·t, d] -> [b, t, h, d] */
    fromQueries: (name: string) => transpose(write.reshape(name, [b, g, rows, d], [b, h, t, d]), 0, 2, 1, 3),
    /** [b, s, g, d] -> [b, g, s, d] */
    keys: (name: string) => transpose(name, 0, 2, 1, 3),
    distances,
    /** scale · q·kᵀ, bounded, biased and masked: [b, h, t, s]. `turned` is tanh(scale · q·kᵀ / softcap), when there is a softcap. */
    scores: (q: string, k: string): { all: string; turned?: string } => {
      const plain = perHead(product(q, k, { transB: 1, alpha: { float: cap ? scale / cap : scale } }));
      const turned = cap ? write.node("Tanh", [plain]) : undefined;
      let all = turned === undefined ? plain : write.node("Mul", [turned, write.constant(cap)]);
      const length = node.inputs.at(-1)!.type.shape[1]!;
      if (bias !== undefined) {
        // [h, b, t, s] -> [b, h, t, s]
        const each = write.node("Gather", [bias, distances(length)], { axis: 1 });
        all = write.node("Add", [all, transpose(each, 1, 0, 2, 3)]);
      }
      if (node.attrs.causal !== false) all = write.node("Add", [all, mask()]);
      return turned === undefined ? { all } : { all, turned };
    },
  };
};

export const attentionOnnx = (write: OnnxWriter, [query, key, value, sees, bias]: readonly string[], node: Node): readonly string[] => {
  const { product, queries, fromQueries, keys, scores, perGroup, transpose } = setUp(write, node, sees!, bias);
  const { all } = scores(queries(query!), keys(key!));
  const p = write.node("Softmax", [all], { axis: -1 });
  // The largest probability is exp(largest score − lse).
  const top = (name: string) => write.node("ReduceMax", [name, write.constant([3], "i64")], { keepdims: 0 });
  const lse = () => transpose(write.node("Sub", [top(all), write.node("Log", [top(p)])]), 0, 2, 1);
  return [fromQueries(product(perGroup(p), keys(value!))), write.used(node, 1) ? lse() : ""];
};

export const attentionGradientOnnx = (
  write: OnnxWriter,
  [query, key, value, sees, out, , dout, bias]: readonly string[],
  node: Node,
): readonly string[] => {
  const tools = setUp(write, node, sees!, bias);
  const { scale, product, queries, queriesDown, fromQueries, keys, scores, perHead, perGroup, transpose } = tools;
  const wants = wantedOf(node.attrs);
  const k = keys(key!);
  const { all, turned } = scores(queries(query!), k);
  const p = write.node("Softmax", [all], { axis: -1 });
  // [b, h, t, s]: the gradient of each score, and of what was bounded by the softcap.
  const rises = () => {
    const dp = perHead(product(queries(dout!), keys(value!), { transB: 1 }));
    const delta = write.node("ReduceSum", [write.node("Mul", [dout!, out!]), write.constant([3], "i64")]);
    return write.node("Mul", [p, write.node("Sub", [dp, transpose(delta, 0, 2, 1, 3)])]);
  };
  const rise = wants.some((name) => name !== "value") ? rises() : "";
  const slopes = () => {
    if (turned === undefined) return perGroup(rise);
    const slope = write.node("Sub", [write.constant(1), write.node("Mul", [turned, turned])]);
    return perGroup(write.node("Mul", [rise, slope]));
  };
  const ds = wants.includes("query") || wants.includes("key") ? slopes() : "";
  const alpha = { float: scale };
  return wants.map((name) => {
    if (name === "query") return fromQueries(product(ds, k, { alpha }));
    if (name === "bias") return biasGradient(write, node, rise, tools.distances);
    // [b, g, d, s] -> [b, s, g, d]
    const down = name === "key" ? product(queriesDown(query!), ds, { alpha }) : product(queriesDown(dout!), perGroup(p));
    return transpose(down, 0, 3, 1, 2);
  });
};

/** Sums the scores' gradients by distance. ScatterElements walks in order on one thread (see gather_gradient). */
const biasGradient = (write: OnnxWriter, node: Node, rise: string, distances: (length: Dim) => string): string => {
  const [b, t, h] = node.inputs[0]!.type.shape as [Dim, Dim, Dim];
  const s = node.inputs[1]!.type.shape[1]!;
  const { shape } = node.inputs[7]!.type;
  const count = [b, t, s].reduce<Dim>(multiply, 1);
  const flat = write.reshape(write.node("Transpose", [rise], { perm: [1, 0, 2, 3] }), [h, b, t, s], [h, count]);
  const index = write.node("Expand", [write.reshape(distances(shape[1]!), [b, t, s], [1, count]), write.shape([h, count])]);
  const none = write.node("Expand", [write.constant(0), write.shape(shape)]);
  return write.node("ScatterElements", [none, index, flat], { axis: 1, reduction: "add" });
};
