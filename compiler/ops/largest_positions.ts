// Where a tensor's largest elements are.

import { type Dim, multiply, product } from "../values/dims.ts";
import { hostOp } from "./host.ts";
import { isFloat, refuse, show } from "./shape.ts";

export const largest_positions = hostOp({
  name: "largest_positions",
  doc: "The positions of the `count` largest elements in the flattened tensor, ascending, or of each of its `parts` one after the other; in first values only.",
  call: { tensors: ["x"], attrs: { count: undefined, parts: 1 } },
  type: ([x], attrs) => {
    if (!x || !isFloat(x)) return refuse("largest_positions takes one floating-point tensor");
    const [count, all] = [attrs.count as Dim, product(x.shape)];
    if (typeof count === "number" && typeof all === "number" && count > all)
      return refuse(`largest_positions: ${show(x.shape)} has no ${count} elements`);
    return { dtype: "i32", shape: [multiply((attrs.parts as Dim | undefined) ?? 1, count)] };
  },
});
