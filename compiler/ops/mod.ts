// The remainder of a division of whole numbers that are not negative, or of numbers: the sign is the divisor's.

import { mapOp } from "./elementwise.ts";

export const mod = mapOp({
  name: "mod",
  doc: "The remainder of the division of the first by the second, both at least 0.",
  args: ["a", "b"],
  whole: true,
  f: (a = 0, b = 1) => a - b * Math.floor(a / b),
  onnx: (write, args, node) => write.node("Mod", args, node.type.dtype === "f32" || node.type.dtype === "f16" ? { fmod: 1 } : {}),
  wgsl: ([a, b]) => `${a} % ${b}`,
});
