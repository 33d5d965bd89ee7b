// Attention as ONNX nodes, forward and backward. Query heads that share a key head lie next to each other, so
// [b, h, t, d] read as [b, g, (h/g)·t, d] makes each product one batch of matrix products without repeating keys.
// Chosen by measurement on ONNX Runtime's CPU engine: ReduceLogSumExp is 50 times slower than two maxima, a product whose
// left side is read transposed 1.5 times slower than one whose result is transposed, and δ = Σ dout·out is a pass over
// [b, t, h, d] where Σ p·dp would be one over [b, h, t, s].

import { type Dim, divide, isConcrete, multiply } from "../dims.ts";
import type { OnnxWriter } from "../emit/onnx-writer.ts";
import type { Node } from "../graph.ts";
import { wantedOf } from "./wanted.ts";

/** The sizes, and the steps that forward and backward share. */
const setUp = (write: OnnxWriter, node: Node, positions: string) => {
  const [b, t, h, d] = node.inputs[0]!.type.shape as [Dim, Dim, Dim, Dim];
  const [, s, g] = node.inputs[1]!.type.shape as [Dim, Dim, Dim, Dim];
  if (!isConcrete(d)) throw new Error("the head width must be known when ONNX is written");
  const scale = typeof node.attrs.scale === "number" ? node.attrs.scale : 1 / Math.sqrt(d);
  const shared = divide(h, g)!;
  const rows = multiply(shared, t);
  const transpose = (name: string, ...perm: number[]) => write.node("Transpose", [name], { perm });
  // 0 where query i sees slot j, else a large negative number: [b, 1, t, s].
  const mask = () => {
    const end = write.node("Squeeze", [write.shape([s])]);
    const slots = write.node("Range", [write.constant([0], "i64", []), end, write.constant([1], "i64", [])]);
    const at = write.node("Cast", [write.reshape(positions, [b, t], [b, 1, t, 1])], { to: write.code("i64") });
    return write.node("Where", [write.node("Greater", [slots, at]), write.constant(-1e30), write.constant(0)]);
  };
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
    /** scale · q·kᵀ, masked: [b, h, t, s]. */
    scores: (q: string, k: string) => {
      const all = perHead(product(q, k, { transB: 1, alpha: { float: scale } }));
      return node.attrs.causal === false ? all : write.node("Add", [all, mask()]);
    },
  };
};

export const attentionOnnx = (write: OnnxWriter, [query, key, value, positions]: readonly string[], node: Node): readonly string[] => {
  const { product, queries, fromQueries, keys, scores, perGroup, transpose } = setUp(write, node, positions!);
  const all = scores(queries(query!), keys(key!));
  const p = write.node("Softmax", [all], { axis: -1 });
  // The largest probability is exp(largest score − lse).
  const top = (name: string) => write.node("ReduceMax", [name, write.constant([3], "i64")], { keepdims: 0 });
  const lse = () => transpose(write.node("Sub", [top(all), write.node("Log", [top(p)])]), 0, 2, 1);
  return [fromQueries(product(perGroup(p), keys(value!))), write.used(node, 1) ? lse() : ""];
};

export const attentionGradientOnnx = (
  write: OnnxWriter,
  [query, key, value, positions, out, , dout]: readonly string[],
  node: Node,
): readonly string[] => {
  const { scale, product, queries, queriesDown, fromQueries, keys, scores, perHead, perGroup, transpose } = setUp(write, node, positions!);
  const wants = wantedOf(node.attrs);
  const k = keys(key!);
  const p = write.node("Softmax", [scores(queries(query!), k)], { axis: -1 });
  const slopes = () => {
    const dp = perHead(product(queries(dout!), keys(value!), { transB: 1 }));
    const delta = write.node("ReduceSum", [write.node("Mul", [dout!, out!]), write.constant([3], "i64")]);
    return perGroup(write.node("Mul", [p, write.node("Sub", [dp, transpose(delta, 0, 2, 1, 3)])]));
  };
  const ds = wants.includes("query") || wants.includes("key") ? slopes() : "";
  const alpha = { float: scale };
  return wants.map((name) => {
    if (name === "query") return fromQueries(product(ds, k, { alpha }));
    // [b, g, d, s] -> [b, s, g, d]
    const down = name === "key" ? product(queriesDown(query!), ds, { alpha }) : product(queriesDown(dout!), perGroup(p));
    return transpose(down, 0, 3, 1, 2);
  });
};
