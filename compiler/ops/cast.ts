// The same numbers in another dtype. To a whole-number dtype fractions are cut towards zero.

import type { DType } from "../graph/graph.ts";
import type { Op } from "../graph/op.ts";
import { liftLast } from "../unfold/lift.ts";
import { toHalf } from "./half.ts";
import { isFloat, refuse } from "./shape.ts";

const known: readonly string[] = ["f32", "f16", "bf16", "i32", "u32", "u8"];

export const cast: Op = {
  name: "cast",
  doc: "The same numbers in another dtype.",
  call: { tensors: ["x"], attrs: { dtype: undefined }, texts: ["dtype"] },
  type: ([x], attrs) => {
    const dtype = attrs.dtype;
    if (!x) return refuse("cast takes one tensor");
    if (!known.includes(dtype as string)) return refuse(`there is no dtype ${String(dtype)}; there are ${known.join(", ")}`);
    return { dtype: dtype as DType, shape: x.shape };
  },
  gradient: ({ graph, node, d, wants }) => {
    const from = node.inputs[0]!.type;
    return [wants[0] && d[0] && isFloat(from) && isFloat(node.type) ? graph.add("cast", [d[0]], { dtype: from.dtype }) : undefined];
  },
  lift: liftLast,
  eval: ([x], _attrs, types) => {
    const round = types[0]!.dtype === "f16" ? toHalf : isFloat(types[0]!) ? (v: number) => v : Math.trunc;
    return [{ shape: x!.shape, data: x!.data.map(round) }];
  },
  // Registers hold f32 whatever the stored dtype, so between floating-point dtypes nothing is to be done.
  wgsl: {
    form: "map",
    cost: "view",
    expression: ([x], attrs) => `${attrs.dtype === "i32" ? "i32" : attrs.dtype === "u32" || attrs.dtype === "u8" ? "u32" : "f32"}(${x})`,
  },
  onnx: (write, inputs, node) => {
    const from = node.inputs[0]!.type.dtype;
    if (from === node.type.dtype) return [inputs[0]!];
    if (from !== "bf16") return [write.node("Cast", inputs, { to: write.code(node.type.dtype) })];
    // bf16 arrives as its bits (emit/onnx.ts), and ONNX cannot reread bits as a number: a table of all of them can.
    const place = write.node("Cast", inputs, { to: write.code("i32") });
    const wide = write.node("Gather", [write.constant(numbersOfBits(), "f32"), place], { axis: 0 });
    return [node.type.dtype === "f32" ? wide : write.node("Cast", [wide], { to: write.code(node.type.dtype) })];
  },
};

/** The number of each of the 65,536 bit patterns of a bf16. */
const numbersOfBits = (): readonly number[] =>
  Array.from(new Float32Array(Uint32Array.from({ length: 65536 }, (_, bits) => bits << 16).buffer));
