// Per row: log Σ exp(logits) − logits[target]. A negative target means that the row carries no loss.

import type { Op } from "../graph/op.ts";
import { multiply, product } from "../values/dims.ts";
import { numbers } from "./shape.ts";
import { perTarget, pickedInOnnx, pickedInWgsl } from "./targets.ts";

export const cross_entropy: Op = {
  name: "cross_entropy",
  doc: "The negative log-likelihood of each row's target; 0 where the target is negative.",
  call: { tensors: ["logits", "targets"] },
  type: (inputs) => perTarget("cross_entropy", inputs),
  gradient: ({ graph, node, d, wants }) => [
    wants[0] && d[0] ? graph.add("cross_entropy_gradient", [node.inputs[0]!, node.inputs[1]!, d[0]]) : undefined,
    undefined,
  ],
  eval: ([logits, targets], _attrs, types) => {
    const width = logits!.shape.at(-1)!;
    const data = targets!.data.map((target, i) => {
      if (target < 0) return 0;
      const row = logits!.data.subarray(i * width, (i + 1) * width);
      const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
      return top + Math.log(row.reduce((sum, v) => sum + Math.exp(v - top), 0)) - row[target]!;
    });
    return [{ shape: numbers(types[0]!.shape), data }];
  },
  flops: ([logits]) => multiply(4, product(logits!.shape)),
  wgsl: {
    form: "row",
    along: 0,
    roles: ["element", "row"],
    reductions: [
      { name: "top", by: "max", of: ({ args: [x] }) => x! },
      { name: "total", by: "sum", of: ({ args: [x], reduced: { top } }) => `exp(${x} - ${top})` },
      pickedInWgsl,
    ],
    outputs: () => [
      {
        per: "row",
        value: ({ args: [, target], reduced: { top, total, picked } }) =>
          `select(${top} + log(${total}) - ${picked}, 0.0, i32(${target}) < 0)`,
      },
    ],
  },
  onnx: (write, [logits, targets], node) => {
    const { flat, picked, absent, result } = pickedInOnnx(write, logits!, targets!, node);
    // log Σ exp = largest logit − log of the largest probability: the softmax is the one that the gradient needs.
    const top = (name: string) => write.node("ReduceMax", [name, write.constant([1], "i64")]);
    const total = write.node("Sub", [top(flat), write.node("Log", [top(write.node("Softmax", [flat], { axis: -1 }))])]);
    const loss = write.node("Where", [absent, write.constant(0), write.node("Sub", [total, picked])]);
    return [result(loss)];
  },
};
