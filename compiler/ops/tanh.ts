// The hyperbolic tangent of each element. WGSL implementations overflow for large arguments, so there they are clamped; f32 tanh(15) is 1.

import { mapOp } from "./elementwise.ts";

export const tanh = mapOp({
  name: "tanh",
  doc: "The hyperbolic tangent of each element.",
  args: ["x"],
  f: (x) => Math.tanh(x!),
  derivative: [(m, d, _, y) => m.op("mul", d, m.op("sub", m.number(1), m.op("mul", y, y)))],
  onnx: "Tanh",
  wgsl: ([x]) => `tanh(clamp(${x}, -15.0, 15.0))`,
});
