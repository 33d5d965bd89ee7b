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
  // WGSL's pow is exp2(b * log2(a)), and undefined for a negative a, where a whole b still has a meaning.
  wgsl: ([a, b]) => `pow_(${a}, ${b})`,
  prelude: `fn pow_(a: f32, b: f32) -> f32 {
  let p = pow(abs(a), b);
  return select(p, -p, a < 0.0 && fract(abs(b) * 0.5) != 0.0);
}`,
});
