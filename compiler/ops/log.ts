// The natural logarithm of each element.

import { mapOp } from "./elementwise.ts";

export const log = mapOp({
  name: "log",
  doc: "The natural logarithm of each element.",
  args: ["x"],
  f: (x) => Math.log(x!),
  derivative: [(m, d, [x]) => m.op("div", d, x!)],
  onnx: "Log",
  wgsl: ([x]) => `log(${x})`,
});
