// The cosine of each element.

import { mapOp } from "./elementwise.ts";

export const cos = mapOp({
  name: "cos",
  doc: "The cosine of each element.",
  args: ["x"],
  f: (x) => Math.cos(x!),
  derivative: [(m, d, [x]) => m.op("neg", m.op("mul", d, m.op("sin", x!)))],
  onnx: "Cos",
  wgsl: ([x]) => `cos(${x})`,
});
