// aᵀ · b over every leading axis at once: [.., m], [.., n] -> [m, n]. The gradient of a weight.

import type { Op } from "../graph/op.ts";
import { type Dim, isConcrete, multiply, product } from "../values/dims.ts";
import { heldOperands, operandsOf, printOperands } from "./half.ts";
import { isFloat, numbers, refuse, sameShape, show } from "./shape.ts";

export const contract: Op = {
  name: "contract",
  doc: "The sum over all leading axes of the outer products of the last axes, [.., m] and [.., n] -> [m, n].",
  type: ([a, b]) => {
    if (!a || !b) return refuse("contract takes two tensors");
    if (a.dtype !== b.dtype || !isFloat(a))
      return refuse(`contract needs two tensors of one floating-point dtype, not ${a.dtype} and ${b.dtype}`);
    if (a.shape.length < 1 || !sameShape(a.shape.slice(0, -1), b.shape.slice(0, -1)))
      return refuse(`contract: ${show(a.shape)} and ${show(b.shape)} differ before the last axis`);
    return { dtype: a.dtype, shape: [a.shape.at(-1)!, b.shape.at(-1)!] };
  },
  gradient: ({ graph, node, d, wants }) => {
    const [a, b] = node.inputs as [typeof node, typeof node];
    return [
      wants[0] && d[0] ? graph.add("matmul", [b, d[0]], { transpose_a: false, transpose_b: true }) : undefined,
      wants[1] && d[0] ? graph.add("matmul", [a, d[0]], { transpose_a: false, transpose_b: false }) : undefined,
    ];
  },
  eval: (inputs, attrs, types) => {
    const [a, b] = operandsOf(inputs, attrs);
    const [m, n] = numbers(types[0]!.shape) as [number, number];
    const data = new Float64Array(m * n);
    const rows = m ? a!.data.length / m : 0;
    for (let r = 0; r < rows; r++)
      for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) data[i * n + j]! += a!.data[r * m + i]! * b!.data[r * n + j]!;
    return [{ shape: [m, n], data }];
  },
  holds: heldOperands,
  flops: ([a], _attrs, type) => multiply(2, multiply(product(a!.shape), type.shape[1]!)),
  wgsl: { form: "contraction", over: "leading", half: (attrs) => attrs.half === true },
  onnx: (write, given, node) => {
    const [a, b] = printOperands(write, given, node.attrs);
    const flat = (name: string, i: number) => {
      const { shape } = node.inputs[i]!.type;
      return write.reshape(name, shape, [product(shape.slice(0, -1)), shape.at(-1)!]);
    };
    const [left, right] = [flat(a!, 0), flat(b!, 1)];
    // ONNX Runtime would join a Transpose and a MatMul to this itself, but then takes it for written last (emit/onnx-order.ts).
    const turned = (x: string, y: string) => write.node("com.microsoft.FusedMatMul", [x, y], { transA: 1, transB: 0 });
    const [m, n] = node.type.shape as [Dim, Dim];
    const thin = (dim: Dim, other: Dim) => isConcrete(dim) && dim <= 32 && (!isConcrete(other) || dim <= other);
    // A thin side turned first is 1.6 (256 by 8) to 4 times (688 by 8) as fast as Gemm's own transposition, which copies the wide one.
    if (thin(m, n)) return [turned(left, right)];
    if (thin(n, m)) return [write.node("Transpose", [turned(right, left)], { perm: [1, 0] })];
    return [write.node("Gemm", [left, right], { transA: 1 })];
  },
};
