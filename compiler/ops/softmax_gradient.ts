// dx = y · (dy − Σ dy · y), from the result y.

import type { Op } from "../graph/op.ts";
import { multiply, product } from "../values/dims.ts";
import { axisOf, refuse, sameShape, show } from "./shape.ts";
import { lines } from "./softmax.ts";

export const softmax_gradient: Op = {
  name: "softmax_gradient",
  doc: "The gradient of `softmax` from its result.",
  type: ([y, dy]) => {
    if (!y || !dy || !sameShape(y.shape, dy.shape))
      return refuse(`softmax_gradient: ${show(y?.shape ?? [])} and ${show(dy?.shape ?? [])} differ`);
    return y;
  },
  eval: ([y, dy], attrs) => {
    const data = new Float64Array(y!.data.length);
    lines(y!.shape, axisOf(attrs.axis, y!.shape.length)!, (places) => {
      const along = places.reduce((sum, p) => sum + y!.data[p]! * dy!.data[p]!, 0);
      for (const p of places) data[p] = y!.data[p]! * (dy!.data[p]! - along);
    });
    return [{ shape: y!.shape, data }];
  },
  flops: ([y]) => multiply(4, product(y!.shape)),
  wgsl: {
    form: "row",
    along: 0,
    axis: (attrs, rank) => axisOf(attrs.axis ?? -1, rank)!,
    roles: ["element", "element"],
    reductions: [{ name: "along", by: "sum", of: ({ args: [y, dy] }) => `${y} * ${dy}` }],
    outputs: () => [{ per: "element", value: ({ args: [y, dy], reduced: { along } }) => `${y} * (${dy} - ${along})` }],
  },
  onnx: (write, [y, dy], node) => {
    const axis = axisOf(node.attrs.axis, node.type.shape.length)!;
    const along = write.node("ReduceSum", [write.node("Mul", [y!, dy!]), write.constant([axis], "i64")]);
    return [write.node("Mul", [y!, write.node("Sub", [dy!, along])])];
  },
};
