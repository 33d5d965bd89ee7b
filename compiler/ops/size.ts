// The product of some sizes, as a scalar: what a mean divides by when the count is a symbol.

import type { Op } from "../graph/op.ts";
import { at, product } from "../values/dims.ts";
import { dimsOf, refuse } from "./shape.ts";

export const size: Op = {
  name: "size",
  doc: "The product of sizes as an f32 scalar.",
  sizes: ["of"],
  type: (inputs) => (inputs.length ? refuse("size takes sizes and no tensor") : { dtype: "f32", shape: [] }),
  gradient: () => [],
  eval: (_inputs, attrs) => [{ shape: [], data: Float64Array.of(at(product(dimsOf(attrs.of)), {})) }],
  wgsl: { form: "element", cost: "view", element: ({ size }, attrs) => `f32(${size(product(dimsOf(attrs.of)))})` },
  onnx: (write, _inputs, node) => {
    const all = product(dimsOf(node.attrs.of));
    if (typeof all === "number") return [write.constant(all)];
    return [write.node("Cast", [write.node("Squeeze", [write.shape([all])])], { to: write.code("f32") })];
  },
};
