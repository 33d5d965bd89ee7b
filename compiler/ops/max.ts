// The larger of the two; at a tie the gradient goes to the first.

import { mapOp } from "./elementwise.ts";

export const max = mapOp({
  name: "max",
  doc: "The larger of the two; at a tie the gradient goes to the first.",
  args: ["a", "b"],
  whole: true,
  f: (a = 0, b = 0) => Math.max(a, b),
  derivative: [
    (m, d, [a, b]) => m.op("select", m.op("less", a!, b!), m.number(0), d),
    (m, d, [a, b]) => m.op("select", m.op("less", a!, b!), d, m.number(0)),
  ],
  onnx: "Max",
  wgsl: ([a, b]) => `max(${a}, ${b})`,
});
