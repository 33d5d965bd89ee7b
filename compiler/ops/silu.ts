// x · sigmoid(x). The gradient is written from x and sigmoid(x): s·(1 + x·(1 − s)), so that the product itself need not be kept.

import { mapOp } from "./elementwise.ts";

export const silu = mapOp({
  name: "silu",
  doc: "The sigmoid linear unit x * sigmoid(x) (Elfwing et al. 2017).",
  args: ["x"],
  f: (x) => x! / (1 + Math.exp(-x!)),
  derivative: [
    (m, d, [x]) => {
      const s = m.op("sigmoid", x!);
      const inner = m.op("add", m.number(1), m.op("mul", x!, m.op("sub", m.number(1), s)));
      return m.op("mul", d, m.op("mul", s, inner));
    },
  ],
  onnx: (write, [x]) => write.node("com.microsoft.QuickGelu", [x!], { alpha: { float: 1 } }),
  wgsl: ([x]) => `${x} / (1.0 + exp(min(-${x}, 80.0)))`,
});
