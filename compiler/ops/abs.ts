// The magnitude of each element.

import { mapOp } from "./elementwise.ts";

export const abs = mapOp({
  name: "abs",
  doc: "The magnitude of each element.",
  args: ["x"],
  whole: true,
  f: (x) => Math.abs(x!),
  derivative: [(m, d, [x]) => m.op("select", m.op("less", x!, m.number(0)), m.op("neg", d), d)],
  onnx: "Abs",
  wgsl: ([x]) => `abs(${x})`,
});
