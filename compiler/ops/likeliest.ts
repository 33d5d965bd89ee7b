// Per row: 1 where no logit is above the target's, so that its sum counts the tokens a model would have written itself. A negative
// target counts nothing. A count has no gradient.

import { product } from "../dims.ts";
import type { Op } from "../op.ts";
import { isFloat, isWhole, numbers, refuse, sameShape, show } from "./shape.ts";

export const likeliest: Op = {
  name: "likeliest",
  doc: "1 where the target has the largest logit of its row, else 0.",
  call: { tensors: ["logits", "targets"] },
  type: ([logits, targets]) => {
    if (!logits || !targets || !isFloat(logits)) return refuse("likeliest takes logits and targets");
    if (!isWhole(targets)) return refuse(`likeliest needs whole-number targets, not ${targets.dtype}`);
    if (!sameShape(logits.shape.slice(0, -1), targets.shape))
      return refuse(`likeliest: logits ${show(logits.shape)} and targets ${show(targets.shape)} do not fit`);
    return { dtype: "f32", shape: targets.shape };
  },
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
    reductions: [
      { name: "top", by: "max", of: ({ args: [x] }) => x! },
      { name: "picked", by: "sum", of: ({ args: [x, target], column }) => `select(0.0, ${x}, i32(${column}) == i32(${target}))` },
    ],
    outputs: () => [
      {
        per: "row",
        value: ({ args: [, target], reduced: { top, picked } }) => `select(0.0, 1.0, i32(${target}) >= 0 && ${picked} >= ${top})`,
      },
    ],
  },
  onnx: (write, [logits, targets], node) => {
    const { shape } = node.inputs[0]!.type;
    const rows = product(shape.slice(0, -1));
    const flat = write.reshape(logits!, shape, [rows, shape.at(-1)!]);
    const column = write.reshape(targets!, shape.slice(0, -1), [rows, 1]);
    const zero = write.constant(0, "i32");
    const top = write.node("ReduceMax", [flat, write.constant([1], "i64")]);
    const picked = write.node("GatherElements", [flat, write.node("Max", [column, zero])], { axis: 1 });
    const below = write.node("Or", [write.node("Less", [picked, top]), write.node("Less", [column, zero])]);
    const hit = write.node("Where", [below, write.constant(0), write.constant(1)]);
    return [write.reshape(hit, [rows, 1], node.type.shape)];
  },
};
