// branch(D) {gate, site, …}: the delta D of a weight whose way in is gated. For f linear in its weight,
// f(x, W + branch(D, g)) = f(x, W) + f(g(x), D). It lives only until associate.ts has distributed the product over it; its
// meaning elsewhere (merging, evaluation) is D.

import type { Op } from "../graph/op.ts";
import { liftLast } from "../unfold/lift.ts";

export const branch: Op = {
  name: "branch",
  doc: "a weight's delta whose input is gated in training",
  type: ([delta]) => delta!,
  lift: liftLast,
  eval: ([delta]) => [delta!],
  wgsl: { form: "flat" },
  onnx: (_, [delta]) => [delta!],
};
