// Per row: 1 where no logit is above the target's, so that its sum counts the tokens a model would have written itself. A negative
// target counts nothing. A count has no gradient.

import type { Op } from "../graph/op.ts";
import { product } from "../values/dims.ts";
import { numbers } from "./shape.ts";
import { perTarget, pickedInOnnx, pickedInWgsl } from "./targets.ts";

export const likeliest: Op = {
  name: "likeliest",
  doc: "1 where the target has the largest logit of its row, else 0.",
  call: { tensors: ["logits", "targets"] },
  type: (inputs) => perTarget("likeliest", inputs),
  eval: ([logits, targets], _attrs, types) => {
    const width = logits!.shape.at(-1)!;
    const data = targets!.data.map((target, i) => {
      if (target < 0) return 0;
      const row = logits!.data.subarray(i * width, (i + 1) * width);
      return row.every((value) => value <= row[target]!) ? 1 : 0;
    });
    return [{ shape: numbers(types[0]!.shape), data }];
  },
  flops: ([logits]) => product(logits!.shape),
  wgsl: {
    form: "row",
    along: 0,
    roles: ["element", "row"],
    reductions: [{ name: "top", by: "max", of: ({ args: [x] }) => x! }, pickedInWgsl],
    outputs: () => [
      {
        per: "row",
        value: ({ args: [, target], reduced: { top, picked } }) => `select(0.0, 1.0, i32(${target}) >= 0 && ${picked} >= ${top})`,
      },
    ],
  },
  onnx: (write, [logits, targets], node) => {
    const { flat, picked, absent, result } = pickedInOnnx(write, logits!, targets!, node);
    const top = write.node("ReduceMax", [flat, write.constant([1], "i64")]);
    const below = write.node("Or", [write.node("Less", [picked, top]), absent]);
    const hit = write.node("Where", [below, write.constant(0), write.constant(1)]);
    return [result(hit)];
  },
};
