// The logistic function 1 / (1 + exp(-x)) of each element. WGSL may assume that nothing overflows, so the exponent is bounded there.

import { mapOp } from "./elementwise.ts";

export const sigmoid = mapOp({
  name: "sigmoid",
  doc: "The logistic function 1 / (1 + exp(-x)) of each element.",
  args: ["x"],
  f: (x) => 1 / (1 + Math.exp(-x!)),
  derivative: [(m, d, _, y) => m.op("mul", d, m.op("mul", y, m.op("sub", m.number(1), y)))],
  onnx: "Sigmoid",
  wgsl: ([x]) => `1.0 / (1.0 + exp(min(-${x}, 80.0)))`,
});
