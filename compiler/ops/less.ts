// 1 where the first is smaller, else 0. A comparison is a number here, so that `select` and products can take it.

import { mapOp } from "./elementwise.ts";

export const less = mapOp({
  name: "less",
  doc: "1 where the first is smaller than the second, else 0.",
  args: ["a", "b"],
  whole: true,
  result: "f32",
  f: (a = 0, b = 0) => (a < b ? 1 : 0),
  onnx: (write, args) => write.node("Cast", [write.node("Less", args)], { to: write.code("f32") }),
  wgsl: ([a, b]) => `select(0.0, 1.0, ${a} < ${b})`,
});
