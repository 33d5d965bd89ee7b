// A list of numbers put in order.

import { hostOp } from "./host.ts";
import { refuse, show } from "./shape.ts";

export const ascending = hostOp({
  name: "ascending",
  doc: "The elements of a vector from the least to the largest; in first values only.",
  call: { tensors: ["x"] },
  type: ([x]) =>
    x && x.shape.length === 1 ? { dtype: x.dtype, shape: x.shape } : refuse(`ascending takes a vector${x ? `, not ${show(x.shape)}` : ""}`),
});
