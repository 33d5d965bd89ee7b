// Floating-point operations of a segment, as a size: what `plan` and the job say of each.

import { ops } from "../ops/index.ts";
import { add, type Dim, multiply, product } from "../values/dims.ts";
import { reachable, type SegmentGraph } from "./graph.ts";

export const flopsOf = (segment: SegmentGraph): Dim =>
  reachable(segment.outputs.map((output) => output.node)).reduce<Dim>((sum, node) => {
    const op = ops.get(node.op)!;
    if (node.inputs.length === 0) return sum;
    return add(
      sum,
      op.flops
        ? op.flops(
            node.inputs.map((input) => input.type),
            node.attrs,
            node.type,
          )
        : isView(node.op)
          ? 0
          : multiply(1, product(node.type.shape)),
    );
  }, 0);

const isView = (op: string): boolean => {
  const form = ops.get(op)?.wgsl;
  return op === "pick" || form?.form === "flat" || (form?.form === "element" && form.cost === "view");
};
