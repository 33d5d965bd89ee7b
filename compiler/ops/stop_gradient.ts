// The same numbers, from which no gradient flows back.

import { liftLast } from "../unfold/lift.ts";
import { composedOp } from "./compose.ts";
import { refuse } from "./shape.ts";

export const stop_gradient = composedOp({
  name: "stop_gradient",
  doc: "The same numbers as a constant: no gradient flows back.",
  call: { tensors: ["x"] },
  type: ([x]) => x ?? refuse("stop_gradient takes one tensor"),
  stops: true,
  gradient: () => [undefined],
  lift: liftLast,
  eval: ([x]) => [x!],
  flops: () => 0,
  expand: (_graph, [x]) => x!,
});
