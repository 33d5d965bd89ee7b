// The sum.

import { mapOp } from "./elementwise.ts";

export const add = mapOp({
  name: "add",
  doc: "The sum.",
  args: ["a", "b"],
  whole: true,
  f: (a = 0, b = 0) => a + b,
  derivative: [(_, d) => d, (_, d) => d],
  onnx: "Add",
  wgsl: ([a, b]) => `${a} + ${b}`,
  algebra: "sum",
});
