// The product.

import { mapOp } from "./elementwise.ts";

export const mul = mapOp({
  name: "mul",
  doc: "The product.",
  args: ["a", "b"],
  whole: true,
  f: (a = 0, b = 0) => a * b,
  derivative: [(m, d, [, b]) => m.op("mul", d, b!), (m, d, [a]) => m.op("mul", d, a!)],
  onnx: "Mul",
  wgsl: ([a, b]) => `${a} * ${b}`,
  algebra: "product",
});
