// The identity matrix.

import type { Dim } from "../values/dims.ts";
import { composedOp } from "./compose.ts";
import { zeros } from "./shape.ts";

export const eye = composedOp({
  name: "eye",
  doc: "The identity matrix of a size.",
  call: { tensors: [], attrs: { size: undefined } },
  sizes: ["size"],
  type: (_inputs, attrs) => ({ dtype: "f32", shape: [attrs.size as Dim, attrs.size as Dim] }),
  gradient: () => [],
  eval: (_inputs, _attrs, types) => {
    const out = zeros(types[0]!);
    const size = out.shape[0]!;
    for (let i = 0; i < size; i++) out.data[i * size + i] = 1;
    return [out];
  },
  flops: () => 0,
  expand: (graph, _inputs, { attrs }) => {
    const size = attrs.size as Dim;
    const places = graph.add("iota", [], { count: size });
    const [rows, columns] = [
      [size, 1],
      [1, size],
    ].map((shape) => graph.add("reshape", [places], { shape })) as [typeof places, typeof places];
    return graph.add("less", [graph.add("abs", [graph.add("sub", [rows, columns])]), graph.constant(0.5)]);
  },
});
