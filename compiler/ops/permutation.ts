// Places in the order that PyTorch would shuffle them into.

import type { Dim } from "../values/dims.ts";
import { hostOp } from "./host.ts";
import { refuse } from "./shape.ts";

/** Beyond it PyTorch draws numbers of 64 bits (ATen/native/TensorFactories.cpp). */
const most = Math.floor((2 ** 32 - 1) / 20);

export const permutation = hostOp({
  name: "permutation",
  doc: "The first `count` of the whole numbers below `below` in the order that PyTorch's `randperm` puts them in for `seed`; in first values only.",
  call: { tensors: [], attrs: { below: undefined, count: undefined, seed: undefined } },
  type: (_inputs, attrs) => {
    const [below, count] = [attrs.below as Dim, attrs.count as Dim];
    if (typeof below === "number" && typeof count === "number" && count > below)
      return refuse(`permutation: there are no ${count} numbers below ${below}`);
    if (typeof below === "number" && below >= most)
      return refuse(`permutation: PyTorch orders ${most} numbers and more in another way, and there are ${below}`);
    return { dtype: "i32", shape: [count] };
  },
});
