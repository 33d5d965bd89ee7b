// The first columns of a matrix's Q and the first rows of its R.

import type { Dim } from "../values/dims.ts";
import { hostOp } from "./host.ts";
import { isFloat, refuse, show } from "./shape.ts";

export const qr = hostOp({
  name: "qr",
  doc: "Of x = q · r with orthonormal columns q: the first `count` columns of q and rows of r; in first values only.",
  call: { tensors: ["x"], attrs: { count: undefined } },
  outputs: ["q", "r"],
  type: ([x], attrs) => {
    if (!x || !isFloat(x) || x.shape.length !== 2) return refuse(`qr takes a matrix${x ? `, not ${show(x.shape)}` : ""}`);
    const [m, n] = x.shape as [Dim, Dim];
    const count = attrs.count as Dim;
    if (typeof count === "number" && [m, n].some((dim) => typeof dim === "number" && count > dim))
      return refuse(`qr: ${show(x.shape)} has no ${count} columns and rows`);
    return [
      { dtype: x.dtype, shape: [m, count] },
      { dtype: x.dtype, shape: [count, n] },
    ];
  },
});
