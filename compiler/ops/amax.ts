// The largest element along the last axis, which stays with size 1.

import { product } from "../dims.ts";
import type { Op } from "../op.ts";
import { isFloat, numbers, refuse, show } from "./shape.ts";

export const amax: Op = {
  name: "amax",
  doc: "The largest element along the last axis, which stays with size 1.",
  call: { tensors: ["x"] },
  type: ([x]) => {
    if (!x) return refuse("amax takes one tensor");
    if (!isFloat(x)) return refuse(`amax is for floating-point tensors, not ${x.dtype}`);
    if (x.shape.length === 0) return refuse(`amax needs an axis: ${show(x.shape)} is a scalar`);
    return { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] };
  },
  eval: ([x], _attrs, types) => {
    const width = x!.shape.at(-1)!;
    const data = new Float64Array(x!.data.length / width).fill(-Infinity);
    x!.data.forEach((v, i) => {
      const row = Math.floor(i / width);
      if (v > data[row]!) data[row] = v;
    });
    return [{ shape: numbers(types[0]!.shape), data }];
  },
  flops: ([x]) => product(x!.shape),
  wgsl: { form: "reduce", by: "max", axes: (_attrs, [x]) => [x!.shape.length - 1] },
  onnx: (write, [x]) => [write.node("ReduceMax", [x!, write.constant([-1], "i64")], { keepdims: 1 })],
};
