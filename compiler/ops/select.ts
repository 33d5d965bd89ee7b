// a where the condition is not 0, else b. Not a product with the condition: an infinite or undefined branch must not leak.

import { mapOp } from "./elementwise.ts";

export const select = mapOp({
  name: "select",
  doc: "The second where the first is not 0, else the third.",
  args: ["condition", "a", "b"],
  f: (condition, a = 0, b = 0) => (condition ? a : b),
  derivative: [
    undefined,
    (m, d, [condition]) => m.op("select", condition!, d, m.number(0)),
    (m, d, [condition]) => m.op("select", condition!, m.number(0), d),
  ],
  onnx: (write, [condition, a, b]) => write.node("Where", [write.node("Cast", [condition!], { to: write.code("bool") }), a!, b!]),
  wgsl: ([condition, a, b]) => `select(${b}, ${a}, ${condition} != 0.0)`,
});
