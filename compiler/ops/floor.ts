// The largest whole number not above each element.

import { mapOp } from "./elementwise.ts";

export const floor = mapOp({
  name: "floor",
  doc: "The largest whole number not above each element; it has no gradient.",
  args: ["x"],
  f: (x) => Math.floor(x!),
  onnx: "Floor",
  wgsl: ([x]) => `floor(${x})`,
});
