// The first to the power of the second; the base must be positive for a gradient to the exponent.

import { mapOp } from "./elementwise.ts";

export const pow = mapOp({
  name: "pow",
  doc: "The first to the power of the second; the base must be positive for a gradient to the exponent.",
  args: ["a", "b"],
  f: (a = 0, b = 0) => a ** b,
  derivative: [
    (m, d, [a, b]) => m.op("mul", d, m.op("mul", b!, m.op("pow", a!, m.op("sub", b!, m.number(1))))),
    (m, d, [a], y) => m.op("mul", d, m.op("mul", y, m.op("log", a!))),
  ],
  onnx: "Pow",
  wgsl: ([a, b]) => `pow(${a}, ${b})`,
});
