// e to the power of each element.

import { mapOp } from "./elementwise.ts";

export const exp = mapOp({
  name: "exp",
  doc: "e to the power of each element.",
  args: ["x"],
  f: (x) => Math.exp(x!),
  derivative: [(m, d, _, y) => m.op("mul", d, y)],
  onnx: "Exp",
  wgsl: ([x]) => `exp(${x})`,
});
