// What ops that compare each row's logits with a target share: the type rule, and the target's own logit, on both devices.

import type { OnnxWriter } from "../emit/onnx-writer.ts";
import type { RowReduction } from "../emit/wgsl-forms.ts";
import type { Node, TensorType } from "../graph/graph.ts";
import type { Problem } from "../graph/op.ts";
import { product } from "../values/dims.ts";
import { isFloat, isWhole, refuse, sameShape, show } from "./shape.ts";

/** Logits [.., width] and whole-number targets [..] give a number per row. */
export const perTarget = (op: string, [logits, targets]: readonly TensorType[]): TensorType | Problem => {
  if (!logits || !targets || !isFloat(logits)) return refuse(`${op} takes logits and targets`);
  if (!isWhole(targets)) return refuse(`${op} needs whole-number targets, not ${targets.dtype}`);
  if (!sameShape(logits.shape.slice(0, -1), targets.shape))
    return refuse(`${op}: logits ${show(logits.shape)} and targets ${show(targets.shape)} do not fit`);
  return { dtype: "f32", shape: targets.shape };
};

/** The target's logit as a sum over the row in which only one element counts. */
export const pickedInWgsl: RowReduction = {
  name: "picked",
  by: "sum",
  of: ({ args: [x, target], column }) => `select(0.0, ${x}, i32(${column}) == i32(${target}))`,
};

/** The logits as rows, each row's target, its logit, and whether there is a target: [rows, width] and three times [rows, 1]. */
export const pickedInOnnx = (write: OnnxWriter, logits: string, targets: string, node: Node) => {
  const { shape } = node.inputs[0]!.type;
  const rows = product(shape.slice(0, -1));
  const flat = write.reshape(logits, shape, [rows, shape.at(-1)!]);
  const column = write.reshape(targets, shape.slice(0, -1), [rows, 1]);
  const zero = write.constant(0, "i32");
  return {
    flat,
    picked: write.node("GatherElements", [flat, write.node("Max", [column, zero])], { axis: 1 }),
    absent: write.node("Less", [column, zero]),
    result: (name: string): string => write.reshape(name, [rows, 1], node.type.shape),
  };
};
