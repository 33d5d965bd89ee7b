// A vector along the diagonal of a matrix of zeros. As a factor of a product it scales columns or rows and is never formed.

import { product } from "../values/dims.ts";
import { composedOp } from "./compose.ts";
import { isFloat, refuse, show, zeros } from "./shape.ts";

export const diagonal = composedOp({
  name: "diagonal",
  doc: "The square matrix with a vector along its diagonal.",
  call: { tensors: ["x"] },
  type: ([x]) => {
    if (!x || !isFloat(x) || x.shape.length !== 1) return refuse(`diagonal takes a vector${x ? `, not ${show(x.shape)}` : ""}`);
    return { dtype: x.dtype, shape: [x.shape[0]!, x.shape[0]!] };
  },
  gradient: ({ graph, node, d, wants }) => {
    if (!wants[0] || !d[0]) return [undefined];
    const own = graph.add("mul", [d[0], graph.add("eye", [], { size: node.type.shape[0]! })]);
    return [graph.add("sum", [own], { axes: [1], keep: false })];
  },
  eval: ([x], _attrs, types) => {
    const out = zeros(types[0]!);
    const n = x!.shape[0]!;
    for (let i = 0; i < n; i++) out.data[i * n + i] = x!.data[i]!;
    return [out];
  },
  flops: (_inputs, _attrs, type) => product(type.shape),
  expand: (graph, [x], { type }) => graph.add("mul", [x!, graph.add("eye", [], { size: type.shape[0]! })]),
});
