// One target's part of a list over all targets: what measured sizes are counted in. Made by `here(y)`, which knows the target.

import type { Dim } from "../values/dims.ts";
import { hostOp } from "./host.ts";
import { refuse } from "./shape.ts";

export const here = hostOp({
  name: "here",
  doc: "The part of a list over all targets of a line that is this target's; where sizes are measured.",
  type: ([x], attrs) => (x?.shape.length === 1 ? { dtype: x.dtype, shape: [attrs.count as Dim] } : refuse("here takes a list")),
});
