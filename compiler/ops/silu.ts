// y = x · s with s = sigmoid(x). The gradient is written as y + s·(1 − y), which is one pass over memory less than
// s·(1 + x·(1 − s)); y is recomputed with it, or there already because a gate multiplied by it.

import { mapOp } from "./elementwise.ts";

export const silu = mapOp({
  name: "silu",
  doc: "The sigmoid linear unit x * sigmoid(x) (Elfwing et al. 2017).",
  args: ["x"],
  f: (x) => x! / (1 + Math.exp(-x!)),
  derivative: [
    (m, d, [x], y) => {
      const rest = m.op("mul", m.op("sigmoid", x!), m.op("sub", m.number(1), y));
      return m.op("mul", d, m.op("add", y, rest));
    },
  ],
  onnx: (write, [x]) => write.node("com.microsoft.QuickGelu", [x!], { alpha: { float: 1 } }),
  wgsl: ([x]) => `${x} / (1.0 + exp(min(-${x}, 80.0)))`,
});
