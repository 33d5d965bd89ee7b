// The difference.

import { mapOp } from "./elementwise.ts";

export const sub = mapOp({
  name: "sub",
  doc: "The difference.",
  args: ["a", "b"],
  whole: true,
  f: (a = 0, b = 0) => a - b,
  derivative: [(_, d) => d, (m, d) => m.op("neg", d)],
  onnx: "Sub",
  wgsl: ([a, b]) => `${a} - ${b}`,
});
