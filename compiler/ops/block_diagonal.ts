// Square or oblong blocks along the diagonal of one matrix. As a factor of a product it is never formed: association multiplies
// block by block.

import { multiply, product } from "../values/dims.ts";
import { composedOp } from "./compose.ts";
import { isFloat, refuse, show, zeros } from "./shape.ts";

export const block_diagonal = composedOp({
  name: "block_diagonal",
  doc: "The matrix [k * m, k * n] with the blocks [k, m, n] along its diagonal.",
  call: { tensors: ["blocks"] },
  type: ([blocks]) => {
    if (!blocks || !isFloat(blocks) || blocks.shape.length !== 3)
      return refuse(`block_diagonal takes blocks [k, m, n]${blocks ? `, not ${show(blocks.shape)}` : ""}`);
    const [k, m, n] = blocks.shape as [number, number, number];
    return { dtype: blocks.dtype, shape: [multiply(k, m), multiply(k, n)] };
  },
  gradient: ({ graph, node, d, wants }) => {
    if (!wants[0] || !d[0]) return [undefined];
    const [k, m, n] = node.inputs[0]!.type.shape as [number, number, number];
    const apart = graph.add("reshape", [d[0]], { shape: [k, m, k, n] });
    const own = graph.add("reshape", [graph.add("eye", [], { size: k })], { shape: [k, 1, k, 1] });
    return [graph.add("sum", [graph.add("mul", [apart, own])], { axes: [2], keep: false })];
  },
  eval: ([blocks], _attrs, types) => {
    const out = zeros(types[0]!);
    const [k, m, n] = blocks!.shape as [number, number, number];
    for (let b = 0; b < k; b++)
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) out.data[(b * m + i) * k * n + b * n + j] = blocks!.data[(b * m + i) * n + j]!;
    return [out];
  },
  flops: (_inputs, _attrs, type) => product(type.shape),
  expand: (graph, [blocks], { inputs, type }) => {
    const [k, m, n] = inputs[0]!.type.shape as [number, number, number];
    const apart = graph.add("reshape", [blocks!], { shape: [k, m, 1, n] });
    const own = graph.add("reshape", [graph.add("eye", [], { size: k })], { shape: [k, 1, k, 1] });
    return graph.add("reshape", [graph.add("mul", [apart, own])], { shape: type.shape });
  },
});
