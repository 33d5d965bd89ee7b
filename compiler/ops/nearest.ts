// The index of the codebook's entry that is nearest to each element. Halfway between two entries, the smaller one.

import { literal } from "../emit/dtypes.ts";
import type { Op } from "../graph/op.ts";
import { product } from "../values/dims.ts";
import { boundsOf, entriesOf, needsEntries } from "./codebook.ts";
import { isFloat, refuse } from "./shape.ts";

export const nearest: Op = {
  name: "nearest",
  doc: "The index of the codebook's entry nearest to each element, as i32; halfway between two, of the smaller.",
  call: { tensors: ["x"], attrs: { table: undefined } },
  type: ([x], attrs) => {
    if (!x || !isFloat(x)) return refuse("nearest takes one floating-point tensor");
    return entriesOf(attrs) ? { dtype: "i32", shape: x.shape } : needsEntries("nearest");
  },
  eval: ([x], attrs) => {
    const { order, bounds } = boundsOf(entriesOf(attrs)!);
    const data = x!.data.map((v) => {
      let below = 0;
      while (below < bounds.length && v > bounds[below]!) below++;
      return order[below]!;
    });
    return [{ shape: x!.shape, data }];
  },
  flops: ([x], attrs) => product([...x!.shape, entriesOf(attrs)!.length]),
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ same, name }, attrs) => {
      const { order, bounds } = boundsOf(entriesOf(attrs)!);
      const x = name(same(0));
      const place = (low: number, high: number): string => {
        if (low === high) return `${order[low]}i`;
        const middle = (low + high) >> 1;
        return `select(${place(low, middle)}, ${place(middle + 1, high)}, ${x} > ${literal(bounds[middle]!, "f32")})`;
      };
      return place(0, bounds.length);
    },
  },
  onnx: (write, [x], node) => {
    const { order, bounds } = boundsOf(entriesOf(node.attrs)!);
    const above = (list: readonly number[]): string => {
      const wide = write.node("Unsqueeze", [x!, write.constant([-1], "i64")]);
      const flags = write.node("Cast", [write.node("Greater", [wide, write.constant(list, "f32")])], { to: write.code("f32") });
      return write.node("Cast", [write.node("ReduceSum", [flags, write.constant([-1], "i64")], { keepdims: 0 })], {
        to: write.code("i32"),
      });
    };
    const count = above(bounds);
    const sorted = order.every((entry, i) => entry === i);
    return [sorted ? count : write.node("Gather", [write.constant(order, "i32"), count], { axis: 0 })];
  },
};
