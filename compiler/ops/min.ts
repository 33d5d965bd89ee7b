// The smaller of the two; at a tie the gradient goes to the first.

import { mapOp } from "./elementwise.ts";

export const min = mapOp({
  name: "min",
  doc: "The smaller of the two; at a tie the gradient goes to the first.",
  args: ["a", "b"],
  whole: true,
  f: (a = 0, b = 0) => Math.min(a, b),
  derivative: [
    (m, d, [a, b]) => m.op("select", m.op("less", b!, a!), m.number(0), d),
    (m, d, [a, b]) => m.op("select", m.op("less", b!, a!), d, m.number(0)),
  ],
  onnx: "Min",
  wgsl: ([a, b]) => `min(${a}, ${b})`,
});
