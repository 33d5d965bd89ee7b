// (softmax(logits) − one-hot(target)) · dy; zero where the target is negative.

import type { Op } from "../graph/op.ts";
import { multiply, product } from "../values/dims.ts";
import { refuse, sameShape, show } from "./shape.ts";

export const cross_entropy_gradient: Op = {
  name: "cross_entropy_gradient",
  doc: "The gradient of `cross_entropy` to its logits.",
  type: ([logits, targets, dy]) => {
    if (!logits || !targets || !dy || !sameShape(targets.shape, dy.shape))
      return refuse(`cross_entropy_gradient: ${show(dy?.shape ?? [])} is not the shape of the losses`);
    return logits;
  },
  eval: ([logits, targets, dy]) => {
    const width = logits!.shape.at(-1)!;
    const data = new Float64Array(logits!.data.length);
    targets!.data.forEach((target, i) => {
      if (target < 0) return;
      const row = logits!.data.subarray(i * width, (i + 1) * width);
      const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
      const total = row.reduce((sum, v) => sum + Math.exp(v - top), 0);
      for (let k = 0; k < width; k++) data[i * width + k] = (Math.exp(row[k]! - top) / total - (k === target ? 1 : 0)) * dy!.data[i]!;
    });
    return [{ shape: logits!.shape, data }];
  },
  flops: ([logits]) => multiply(5, product(logits!.shape)),
  wgsl: {
    form: "row",
    along: 0,
    roles: ["element", "row", "row"],
    reductions: [
      { name: "top", by: "max", of: ({ args: [x] }) => x! },
      { name: "total", by: "sum", of: ({ args: [x], reduced: { top } }) => `exp(${x} - ${top})` },
    ],
    outputs: () => [
      {
        per: "element",
        value: ({ args: [x, target, dy], reduced: { top, total }, column }) =>
          `select((exp(${x} - ${top}) / ${total} - select(0.0, 1.0, i32(${column}) == i32(${target}))) * ${dy}, 0.0, i32(${target}) < 0)`,
      },
    ],
  },
  // The probabilities and their product with dy.
  holds: (node, bytes) => [[bytes(node.type), bytes(node.type)]],
  onnx: (write, [logits, targets, dy], node) => {
    const { shape } = node.type;
    const rows = product(shape.slice(0, -1));
    const flat = write.reshape(logits!, shape, [rows, shape.at(-1)!]);
    const column = (name: string) => write.reshape(name, shape.slice(0, -1), [rows, 1]);
    const zero = write.constant(0, "i32");
    const target = column(targets!);
    const weight = write.node("Where", [write.node("Less", [target, zero]), write.constant(0), column(dy!)]);
    const soft = write.node("Mul", [write.node("Softmax", [flat], { axis: -1 }), weight]);
    // One index per row, so nothing is added to twice.
    const less = write.node("ScatterElements", [soft, write.node("Max", [target, zero]), write.node("Neg", [weight])], {
      axis: 1,
      reduction: "add",
    });
    return [write.reshape(less, [rows, shape.at(-1)!], shape)];
  },
};
