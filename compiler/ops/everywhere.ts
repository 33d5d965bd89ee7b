// Lists of numbers, one after the other: what `everywhere(x)` is where sizes are measured. A job's steps call it; no graph has it.

import { add } from "../values/dims.ts";
import { hostOp } from "./host.ts";
import { refuse } from "./shape.ts";

export const everywhere = hostOp({
  name: "everywhere",
  doc: "A list of numbers of every target of a line, one after the other; where sizes are measured.",
  type: (lists) =>
    lists.length > 0 && lists.every(({ shape }) => shape.length === 1)
      ? { dtype: lists[0]!.dtype, shape: [lists.map(({ shape }) => shape[0]!).reduce(add)] }
      : refuse("everywhere takes lists"),
});
