// Attention as ONNX nodes, forward and backward. Query heads that share a key head lie next to each other, so
// [b, h, t, d] read as [b, g, (h/g)·t, d] makes each product one batch of matrix products without repeating keys.

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
  const rows = multiply(divide(h, g)!, t);
  const product = (a: string, b: string, how: { transA?: number; transB?: number; alpha?: { float: number } } = {}) =>
    write.node("com.microsoft.FusedMatMul", [a, b], how);
  // 0 where query i sees slot j, else a large negative number: [b, 1, t, s].
  const mask = () => {
    const slots = write.node("Range", [
      write.constant([0], "i64", []),
      write.node("Squeeze", [write.shape([s])]),
      write.constant([1], "i64", []),
    ]);
    const at = write.node("Cast", [write.reshape(positions, [b, t], [b, 1, t, 1])], { to: write.code("i64") });
    return write.node("Where", [write.node("Greater", [slots, at]), write.constant(-1e30), write.constant(0)]);
  };
  return {
    d,
    scale,
    product,
    /** [b, t, h, d] -> [b, h, t, d] */
    toHeads: (name: string) => write.node("Transpose", [name], { perm: [0, 2, 1, 3] }),
    /** [b, h, t, x] -> [b, g, (h/g)·t, x] */
    grouped: (name: string, last: Dim) => write.reshape(name, [b, h, t, last], [b, g, rows, last]),
    ungrouped: (name: string, last: Dim) => write.reshape(name, [b, g, rows, last], [b, h, t, last]),
    s,
    /** scale · q·kᵀ, masked: [b, h, t, s]. */
    scores: (q: string, k: string) => {
      const all = write.reshape(product(q, k, { transB: 1, alpha: { float: scale } }), [b, g, rows, s], [b, h, t, s]);
      return node.attrs.causal === false ? all : write.node("Add", [all, mask()]);
    },
  };
};

export const attentionOnnx = (write: OnnxWriter, [query, key, value, positions]: readonly string[], node: Node): readonly string[] => {
  const { d, s, product, toHeads, grouped, ungrouped, scores } = setUp(write, node, positions!);
  const all = scores(grouped(toHeads(query!), d), toHeads(key!));
  const lse = write.used(node, 1)
    ? write.node("Transpose", [write.node("ReduceLogSumExp", [all, write.constant([3], "i64")], { keepdims: 0 })], { perm: [0, 2, 1] })
    : "";
  const p = write.node("Softmax", [all], { axis: -1 });
  const out = ungrouped(product(grouped(p, s), toHeads(value!)), d);
  return [toHeads(out), lse];
};

export const attentionGradientOnnx = (
  write: OnnxWriter,
  [query, key, value, positions, , , dout]: readonly string[],
  node: Node,
): readonly string[] => {
  const { d, s, scale, product, toHeads, grouped, ungrouped, scores } = setUp(write, node, positions!);
  const wants = wantedOf(node.attrs);
  const [q, k, v, dy] = [grouped(toHeads(query!), d), toHeads(key!), toHeads(value!), grouped(toHeads(dout!), d)];
  const p = write.node("Softmax", [scores(q, k)], { axis: -1 });
  const ds = () => {
    const dp = ungrouped(product(dy, v, { transB: 1 }), s);
    const along = write.node("ReduceSum", [write.node("Mul", [p, dp]), write.constant([3], "i64")]);
    return grouped(write.node("Mul", [p, write.node("Sub", [dp, along])]), s);
  };
  const made = wants.includes("query") || wants.includes("key") ? ds() : "";
  const alpha = { float: scale };
  return wants.map((name) => {
    if (name === "query") return toHeads(ungrouped(product(made, k, { alpha }), d));
    return toHeads(name === "key" ? product(made, q, { transA: 1, alpha }) : product(grouped(p, s), dy, { transA: 1 }));
  });
};
