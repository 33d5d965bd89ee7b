// The quotient.

import { mapOp } from "./elementwise.ts";

export const div = mapOp({
  name: "div",
  doc: "The quotient.",
  args: ["a", "b"],
  f: (a = 0, b = 0) => a / b,
  derivative: [(m, d, [, b]) => m.op("div", d, b!), (m, d, [, b], y) => m.op("neg", m.op("mul", d, m.op("div", y, b!)))],
  onnx: "Div",
  wgsl: ([a, b]) => `${a} / ${b}`,
});
