// Each element, or the end of a range that it lies beyond.

import { literal } from "../emit/dtypes.ts";
import type { Op } from "../graph/op.ts";
import { isFloat, refuse } from "./shape.ts";

export const clamp: Op = {
  name: "clamp",
  doc: "Each element, or the end of the range low to high that it lies beyond.",
  call: { tensors: ["x"], attrs: { low: undefined, high: undefined } },
  type: ([x], { low, high }) => {
    if (!x) return refuse("clamp takes one tensor");
    if (!isFloat(x)) return refuse(`clamp is for floating-point tensors, not ${x.dtype}`);
    if (typeof low !== "number" || typeof high !== "number" || !(low <= high))
      return refuse(`clamp needs numbers low <= high, not ${String(low)} and ${String(high)}`);
    return x;
  },
  gradient: ({ graph, node, d, wants }) => {
    const x = node.inputs[0]!;
    if (!wants[0] || !d[0]) return [undefined];
    const [low, high] = [graph.constant(node.attrs.low as number), graph.constant(node.attrs.high as number)];
    const inside = graph.add("mul", [graph.add("less", [low, x]), graph.add("less", [x, high])]);
    return [graph.add("mul", [d[0], inside])];
  },
  eval: ([x], { low, high }) => [{ shape: x!.shape, data: x!.data.map((v) => Math.min(Math.max(v, low as number), high as number)) }],
  wgsl: {
    form: "map",
    expression: ([x], { low, high }) => `clamp(${x}, ${literal(low as number, "f32")}, ${literal(high as number, "f32")})`,
  },
  onnx: (write, [x], node) => [
    write.node("Clip", [x!, write.constant(node.attrs.low as number, "f32"), write.constant(node.attrs.high as number, "f32")]),
  ],
};
