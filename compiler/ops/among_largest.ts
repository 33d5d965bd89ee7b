// Which elements of the last axis are among its `count` largest: what sends a token to some experts and not to others. A choice has no
// gradient; what is chosen is weighed by something that has.

import { liftLast } from "../unfold/lift.ts";
import type { Dim } from "../values/dims.ts";
import { product } from "../values/dims.ts";
import { composedOp } from "./compose.ts";
import { isFloat, refuse, show } from "./shape.ts";

export const among_largest = composedOp({
  name: "among_largest",
  doc: "1 for the `count` largest elements of the last axis, else 0; of equal ones the earlier. No gradient flows through it.",
  call: { tensors: ["x"], attrs: { count: undefined } },
  type: ([x], attrs) => {
    if (!x || !isFloat(x) || x.shape.length === 0) return refuse("among_largest takes one floating-point tensor with an axis");
    const [count, width] = [attrs.count as Dim, x.shape.at(-1)!];
    if (typeof count === "number" && (!Number.isInteger(count) || count < 1 || (typeof width === "number" && count > width)))
      return refuse(`among_largest: the last axis of ${show(x.shape)} has no ${count} largest elements`);
    return x;
  },
  gradient: () => [undefined],
  lift: liftLast,
  eval: ([x], attrs) => {
    const width = x!.shape.at(-1)!;
    const data = new Float64Array(x!.data.length);
    for (let row = 0; row < data.length; row += width) {
      const order = Array.from({ length: width }, (_, i) => i).sort((i, j) => x!.data[row + j]! - x!.data[row + i]! || i - j);
      for (const i of order.slice(0, attrs.count as number)) data[row + i] = 1;
    }
    return [{ shape: x!.shape, data }];
  },
  flops: ([x]) => product([...x!.shape, x!.shape.at(-1)!]),
  // An element is chosen when fewer than `count` stand before it: those that are larger, and equal ones to its left.
  expand: (graph, [x], { attrs, type: { shape } }) => {
    const width = shape.at(-1)!;
    const own = graph.add("reshape", [x!], { shape: [...shape, 1] });
    const other = graph.add("reshape", [x!], { shape: [...shape.slice(0, -1), 1, width] });
    const place = graph.add("iota", [], { count: width });
    const left = graph.add("less", [
      graph.add("reshape", [place], { shape: [1, width] }),
      graph.add("reshape", [place], { shape: [width, 1] }),
    ]);
    const larger = graph.add("less", [own, other]);
    const smaller = graph.add("less", [other, own]);
    const before = graph.add("max", [larger, graph.add("sub", [left, smaller])]); // [.., width, width]
    const ahead = graph.add("sum", [before], { axes: [-1], keep: false });
    return graph.add("less", [ahead, graph.constant(attrs.count as number)]);
  },
});
