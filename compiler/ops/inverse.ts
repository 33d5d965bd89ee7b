// The inverse of small square matrices, one per leading index. A device sweeps column by column without exchanging rows
// (Goodnight 1979, "A tutorial on the SWEEP operator"), which is stable where every leading block is well conditioned: a
// positive definite matrix, the identity plus a skew-symmetric one, a triangular one.

import type { Graph, Node } from "../graph/graph.ts";
import { isConcrete, multiply, product } from "../values/dims.ts";
import { composedOp } from "./compose.ts";
import { isFloat, refuse, show } from "./shape.ts";

const largest = 64;

export const inverse = composedOp({
  name: "inverse",
  doc: `The inverse of square matrices [.., n, n] with n up to ${largest}; for positive definite, triangular, and identity plus skew-symmetric ones.`,
  call: { tensors: ["x"] },
  type: ([x]) => {
    if (!x || !isFloat(x)) return refuse("inverse takes one floating-point tensor");
    const [n, m] = [x.shape.at(-1), x.shape.at(-2)];
    if (n === undefined || n !== m) return refuse(`inverse takes square matrices, not ${show(x.shape)}`);
    if (isConcrete(n) && n > largest) return refuse(`inverse is for sizes up to ${largest}, not ${n}`);
    return x;
  },
  gradient: ({ graph, node, d, wants }) => {
    if (!wants[0] || !d[0]) return [undefined];
    const times = (a: Node, b: Node, transpose_a: boolean, transpose_b: boolean) =>
      graph.add("matmul", [a, b], { transpose_a, transpose_b });
    return [graph.add("neg", [times(times(node, d[0], true, false), node, false, true)])];
  },
  eval: ([x]) => {
    const n = x!.shape.at(-1)!;
    const data = new Float64Array(x!.data.length);
    for (let start = 0; start < data.length; start += n * n) data.set(invert(x!.data.slice(start, start + n * n), n), start);
    return [{ shape: x!.shape, data }];
  },
  flops: ([x]) => multiply(product([2, ...x!.shape]), x!.shape.at(-1)!),
  expand: (graph, [x], { type }) => {
    const n = type.shape.at(-1) as number;
    const rank = type.shape.length;
    const identity = graph.add("eye", [], { size: n });
    let a = x!;
    for (let k = 0; k < n; k++) {
      const column = part(graph, a, rank - 1, k);
      const row = part(graph, a, rank - 2, k);
      const pivot = part(graph, row, rank - 1, k);
      const left = graph.add("sub", [column, part(graph, identity, 1, k)]);
      const right = graph.add("div", [graph.add("add", [row, part(graph, identity, 0, k)]), pivot]);
      a = graph.add("sub", [a, graph.add("mul", [left, right])]);
    }
    return a;
  },
});

const part = (graph: Graph, x: Node, axis: number, at: number): Node => graph.add("slice", [x], { axis, from: at, to: at + 1 });

/** Gauss and Jordan with the largest pivot, in double precision. */
const invert = (a: Float64Array, n: number): Float64Array => {
  const b = new Float64Array(n * n);
  for (let i = 0; i < n; i++) b[i * n + i] = 1;
  const exchange = (m: Float64Array, i: number, j: number): void => {
    for (let k = 0; k < n; k++) [m[i * n + k], m[j * n + k]] = [m[j * n + k]!, m[i * n + k]!];
  };
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(a[i * n + k]!) > Math.abs(a[best * n + k]!)) best = i;
    exchange(a, k, best);
    exchange(b, k, best);
    const pivot = a[k * n + k]!;
    for (let j = 0; j < n; j++) {
      a[k * n + j]! /= pivot;
      b[k * n + j]! /= pivot;
    }
    for (let i = 0; i < n; i++) {
      const factor = a[i * n + k]!;
      if (i === k || factor === 0) continue;
      for (let j = 0; j < n; j++) {
        a[i * n + j]! -= factor * a[k * n + j]!;
        b[i * n + j]! -= factor * b[k * n + j]!;
      }
    }
  }
  return b;
};
