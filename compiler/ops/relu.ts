// Each element, or 0 where it is negative.

import { mapOp } from "./elementwise.ts";

export const relu = mapOp({
  name: "relu",
  doc: "Each element, or 0 where it is negative.",
  args: ["x"],
  f: (x) => Math.max(x!, 0),
  derivative: [(m, d, [x]) => m.op("select", m.op("less", m.number(0), x!), d, m.number(0))],
  onnx: "Relu",
  wgsl: ([x]) => `max(${x}, 0.0)`,
});
