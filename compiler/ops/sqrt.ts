// The square root of each element.

import { mapOp } from "./elementwise.ts";

export const sqrt = mapOp({
  name: "sqrt",
  doc: "The square root of each element.",
  args: ["x"],
  f: (x) => Math.sqrt(x!),
  derivative: [(m, d, _, y) => m.op("div", m.op("mul", d, m.number(0.5)), y)],
  onnx: "Sqrt",
  wgsl: ([x]) => `sqrt(${x})`,
});
