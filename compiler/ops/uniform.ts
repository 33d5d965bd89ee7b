// Random numbers as first values that further expressions shape.

import { hostOp } from "./host.ts";
import { dimsOf } from "./shape.ts";

export const uniform = hostOp({
  name: "uniform",
  doc: "Random numbers from `low` to `high` in a shape; in first values only.",
  call: { tensors: [], attrs: { low: undefined, high: undefined, shape: undefined } },
  type: (_inputs, attrs) => ({ dtype: "f32", shape: dimsOf(attrs.shape) }),
});
