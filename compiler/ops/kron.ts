// The Kronecker product of two matrices. As a factor of a product it is never formed: association applies one factor after the
// other.

import { multiply, product } from "../values/dims.ts";
import { composedOp } from "./compose.ts";
import { isFloat, refuse, show, zeros } from "./shape.ts";

export const kron = composedOp({
  name: "kron",
  doc: "The Kronecker product: [p, q] and [m, n] -> [p * m, q * n].",
  call: { tensors: ["a", "b"] },
  type: ([a, b]) => {
    if (!a || !b || !isFloat(a) || a.dtype !== b.dtype) return refuse("kron takes two floating-point matrices of one dtype");
    if (a.shape.length !== 2 || b.shape.length !== 2) return refuse(`kron takes two matrices, not ${show(a.shape)} and ${show(b.shape)}`);
    return { dtype: a.dtype, shape: [multiply(a.shape[0]!, b.shape[0]!), multiply(a.shape[1]!, b.shape[1]!)] };
  },
  gradient: ({ graph, node, d, wants }) => {
    const [a, b] = node.inputs as [typeof node, typeof node];
    if (!d[0]) return [undefined, undefined];
    const [p, q] = a.type.shape as [number, number];
    const [m, n] = b.type.shape as [number, number];
    const apart = graph.add("reshape", [d[0]], { shape: [p, m, q, n] });
    const wideA = graph.add("reshape", [a], { shape: [p, 1, q, 1] });
    const wideB = graph.add("reshape", [b], { shape: [1, m, 1, n] });
    return [
      wants[0] ? graph.add("sum", [graph.add("mul", [apart, wideB])], { axes: [1, 3], keep: false }) : undefined,
      wants[1] ? graph.add("sum", [graph.add("mul", [apart, wideA])], { axes: [0, 2], keep: false }) : undefined,
    ];
  },
  eval: ([a, b], _attrs, types) => {
    const out = zeros(types[0]!);
    const [p, q] = a!.shape as [number, number];
    const [m, n] = b!.shape as [number, number];
    for (let i = 0; i < p; i++)
      for (let j = 0; j < q; j++)
        for (let k = 0; k < m; k++)
          for (let l = 0; l < n; l++) out.data[(i * m + k) * q * n + j * n + l] = a!.data[i * q + j]! * b!.data[k * n + l]!;
    return [out];
  },
  flops: (_inputs, _attrs, type) => product(type.shape),
  expand: (graph, [a, b], { inputs, type }) => {
    const [p, q] = inputs[0]!.type.shape as [number, number];
    const [m, n] = inputs[1]!.type.shape as [number, number];
    const wideA = graph.add("reshape", [a!], { shape: [p, 1, q, 1] });
    const wideB = graph.add("reshape", [b!], { shape: [1, m, 1, n] });
    return graph.add("reshape", [graph.add("mul", [wideA, wideB])], { shape: type.shape });
  },
});
