// How often a whole number goes into another, both at least 0.

import { mapOp } from "./elementwise.ts";

export const quotient = mapOp({
  name: "quotient",
  doc: "How often the second whole number goes into the first, both at least 0.",
  args: ["a", "b"],
  whole: true,
  f: (a = 0, b = 1) => Math.floor(a / b),
  onnx: "Div",
  wgsl: ([a, b]) => `${a} / ${b}`,
});
