// The error function. WGSL has none: Abramowitz and Stegun 7.1.26 is within 1.5e-7, which is one f32 rounding near 1.

import { mapOp } from "./elementwise.ts";

/** To double precision: its Taylor series while that converges well, then a continued fraction for erfc. */
export const errorFunction = (x: number): number => {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18; n++) {
      term *= -(x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (sum * 2) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 200; n > 0; n--) fraction = n / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / (Math.sqrt(Math.PI) * (z + fraction)));
};

export const erfPrelude = `fn erf_(x: f32) -> f32 {
  let z = abs(x);
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return sign(x) * (1.0 - p * exp(-z * z));
}`;

export const erf = mapOp({
  name: "erf",
  doc: "The error function of each element.",
  args: ["x"],
  f: (x) => errorFunction(x!),
  derivative: [(m, d, [x]) => m.op("mul", d, m.op("mul", m.number(2 / Math.sqrt(Math.PI)), m.op("exp", m.op("neg", m.op("mul", x!, x!)))))],
  onnx: "Erf",
  wgsl: ([x]) => `erf_(${x})`,
  prelude: erfPrelude,
});
