// Matrix product over the last two axes; earlier axes broadcast. A transposed operand is read that way, never moved.

import type { Dim } from "../graph/graph.ts";
import type { Op } from "../graph/op.ts";
import { widen } from "../unfold/lift.ts";
import { multiply, product } from "../values/dims.ts";
import { heldOperands, operandsOf, printOperands } from "./half.ts";
import { broadcastShape, broadcastStrides, isFloat, numbers, open, positions, refuse, show, stridesOf, sumTo } from "./shape.ts";

const swapped = (shape: readonly Dim[], swap: unknown): readonly Dim[] =>
  swap === true ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;

export const matmul: Op = {
  name: "matmul",
  doc: "The matrix product of the last two axes; earlier axes broadcast.",
  call: { tensors: ["a", "b"], attrs: { transpose_a: false, transpose_b: false } },
  type: ([a, b], attrs) => {
    if (!a || !b) return refuse("matmul takes two tensors");
    if (a.dtype !== b.dtype || !isFloat(a))
      return refuse(`matmul needs two tensors of one floating-point dtype, not ${a.dtype} and ${b.dtype}`);
    if (a.shape.length < 2 || b.shape.length < 2)
      return refuse(`matmul needs at least two axes on each side: ${show(a.shape)} @ ${show(b.shape)}`);
    const [left, right] = [swapped(a.shape, attrs.transpose_a), swapped(b.shape, attrs.transpose_b)];
    const batch = broadcastShape(left.slice(0, -2), right.slice(0, -2));
    const [inner, other] = [left.at(-1)!, right.at(-2)!];
    if (inner !== other && !open(inner, other))
      return refuse(`${show(left)} @ ${show(right)}: the inner sizes ${inner} and ${other} differ`);
    if (!batch) return refuse(`${show(left)} @ ${show(right)}: the axes before the last two do not fit`);
    return { dtype: a.dtype, shape: [...batch, left.at(-2)!, right.at(-1)!] };
  },
  gradient: ({ graph, node, d, wants }) => {
    const [a, b] = node.inputs as [typeof node, typeof node];
    const dy = d[0];
    if (!dy) return [undefined, undefined];
    const ta = node.attrs.transpose_a === true;
    const tb = node.attrs.transpose_b === true;
    const times = (x: typeof a, y: typeof a, transpose_a: boolean, transpose_b: boolean) =>
      graph.add("matmul", [x, y], { transpose_a, transpose_b });
    const toA = () => sumTo(graph, ta ? times(b, dy, tb, true) : times(dy, b, false, !tb), a.type.shape);
    const toB = () => {
      // A weight shared by all leading axes: one product that sums over them, instead of one each and a sum.
      if (b.type.shape.length === 2 && !ta) return graph.add("contract", tb ? [dy, a] : [a, dy]);
      return sumTo(graph, tb ? times(dy, a, true, ta) : times(a, dy, !ta, false), b.type.shape);
    };
    return [wants[0] ? toA() : undefined, wants[1] ? toB() : undefined];
  },
  lift: ({ graph, node, inputs }) =>
    graph.add(
      "matmul",
      inputs.map((input) => (input.lifted ? widen(graph, input.node, node.type.shape.length) : input.node)),
      node.attrs,
      node.origin,
    ),
  eval: (inputs, attrs, types) => {
    const [a, b] = operandsOf(inputs, attrs);
    const shape = numbers(types[0]!.shape);
    const [n, m] = [shape.at(-2)!, shape.at(-1)!];
    const [ta, tb] = [attrs.transpose_a === true, attrs.transpose_b === true];
    const inner = a!.shape.at(ta ? -2 : -1)!;
    const batch = shape.slice(0, -2);
    const starts = [a!, b!].map((x) => positions(batch, broadcastStrides(x.shape.slice(0, -2), batch)));
    const [sa, sb] = [a!, b!].map((x) => stridesOf(x.shape).slice(-2)) as [number[], number[]];
    const [aRow, aInner] = ta ? [sa[1]!, sa[0]!] : [sa[0]!, sa[1]!];
    const [bInner, bColumn] = tb ? [sb[1]!, sb[0]!] : [sb[0]!, sb[1]!];
    const data = new Float64Array(shape.reduce((x, y) => x * y, 1));
    for (let s = 0; s < starts[0]!.length; s++) {
      const [fromA, fromB] = [starts[0]![s]! * n * inner, starts[1]![s]! * inner * m];
      for (let i = 0; i < n; i++)
        for (let j = 0; j < m; j++) {
          let total = 0;
          for (let k = 0; k < inner; k++) total += a!.data[fromA + i * aRow + k * aInner]! * b!.data[fromB + k * bInner + j * bColumn]!;
          data[(s * n + i) * m + j] = total;
        }
    }
    return [{ shape, data }];
  },
  holds: heldOperands,
  flops: ([a], attrs, type) => multiply(multiply(2, product(type.shape)), a!.shape.at(attrs.transpose_a === true ? -2 : -1)!),
  wgsl: {
    form: "contraction",
    over: "matrix",
    transposed: (attrs) => ({ a: attrs.transpose_a === true, b: attrs.transpose_b === true }),
    half: (attrs) => attrs.half === true,
  },
  onnx: (write, given, node) => {
    const inputs = printOperands(write, given, node.attrs);
    const { transpose_a, transpose_b } = node.attrs;
    if (!transpose_a && !transpose_b) return [write.node("MatMul", inputs)];
    return [write.node("com.microsoft.FusedMatMul", inputs, { transA: transpose_a ? 1 : 0, transB: transpose_b ? 1 : 0 })];
  },
};
