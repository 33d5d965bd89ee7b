// The Gaussian error linear unit x · Φ(x) with the exact normal distribution. Its derivative is Φ(x) + x · φ(x).

import { mapOp } from "./elementwise.ts";
import { erfPrelude, errorFunction } from "./erf.ts";

export const gelu = mapOp({
  name: "gelu",
  doc: "The Gaussian error linear unit, exact form (Hendrycks and Gimpel 2016).",
  args: ["x"],
  f: (x) => 0.5 * x! * (1 + errorFunction(x! * Math.SQRT1_2)),
  derivative: [
    (m, d, [x]) => {
      const half = m.op("mul", m.number(0.5), m.op("erf", m.op("mul", x!, m.number(Math.SQRT1_2))));
      const cumulative = m.op("add", m.number(0.5), half);
      const bell = m.op("exp", m.op("mul", m.number(-0.5), m.op("mul", x!, x!)));
      const density = m.op("mul", x!, m.op("mul", bell, m.number(1 / Math.sqrt(2 * Math.PI))));
      return m.op("mul", d, m.op("add", cumulative, density));
    },
  ],
  onnx: (write, [x]) => write.node("com.microsoft.Gelu", [x!]),
  wgsl: ([x]) => `0.5 * ${x} * (1.0 + erf_(${x} * ${Math.SQRT1_2}))`,
  prelude: erfPrelude,
});
