// The sine of each element.

import { mapOp } from "./elementwise.ts";

export const sin = mapOp({
  name: "sin",
  doc: "The sine of each element.",
  args: ["x"],
  f: (x) => Math.sin(x!),
  derivative: [(m, d, [x]) => m.op("mul", d, m.op("cos", x!))],
  onnx: "Sin",
  wgsl: ([x]) => `sin(${x})`,
});
