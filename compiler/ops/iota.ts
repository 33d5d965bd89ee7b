// 0, 1, 2, … as floating-point numbers.

import type { Op } from "../graph/op.ts";
import type { Dim } from "../values/dims.ts";
import { refuse, zeros } from "./shape.ts";

export const iota: Op = {
  name: "iota",
  doc: "The numbers 0, 1, … count - 1 in f32.",
  call: { tensors: [], attrs: { count: undefined } },
  sizes: ["count"],
  type: (inputs, attrs) => (inputs.length ? refuse("iota takes a count and no tensor") : { dtype: "f32", shape: [attrs.count as Dim] }),
  gradient: () => [],
  eval: (_inputs, _attrs, types) => {
    const out = zeros(types[0]!);
    for (let i = 0; i < out.data.length; i++) out.data[i] = i;
    return [out];
  },
  wgsl: { form: "element", cost: "view", element: ({ flat }) => `f32(${flat()})` },
  onnx: (write, _inputs, node) => {
    const end = write.node("Squeeze", [write.shape([node.attrs.count as Dim])]);
    const whole = write.node("Range", [write.constant([0], "i64", []), end, write.constant([1], "i64", [])]);
    return [write.node("Cast", [whole], { to: write.code("f32") })];
  },
};
