// The negative of each element.

import { mapOp } from "./elementwise.ts";

export const neg = mapOp({
  name: "neg",
  doc: "The negative of each element.",
  args: ["x"],
  whole: true,
  f: (x) => -x!,
  derivative: [(m, d) => m.op("neg", d)],
  onnx: "Neg",
  wgsl: ([x]) => `-${x}`,
});
