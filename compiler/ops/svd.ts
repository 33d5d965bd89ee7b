// The largest singular values of a matrix and their vectors.

import type { Dim } from "../values/dims.ts";
import { hostOp } from "./host.ts";
import { isFloat, refuse, show } from "./shape.ts";

export const svd = hostOp({
  name: "svd",
  doc: "The `count` largest singular values s of a matrix [m, n] and their vectors u [m, count] and v [n, count]; in first values only.",
  call: { tensors: ["x"], attrs: { count: undefined } },
  outputs: ["u", "s", "v"],
  type: ([x], attrs) => {
    if (!x || !isFloat(x) || x.shape.length !== 2) return refuse(`svd takes a matrix${x ? `, not ${show(x.shape)}` : ""}`);
    const [m, n] = x.shape as [Dim, Dim];
    const count = attrs.count as Dim;
    if (typeof count === "number" && [m, n].some((dim) => typeof dim === "number" && count > dim))
      return refuse(`svd: ${show(x.shape)} has no ${count} singular values`);
    return [
      { dtype: x.dtype, shape: [m, count] },
      { dtype: x.dtype, shape: [count] },
      { dtype: x.dtype, shape: [n, count] },
    ];
  },
});
