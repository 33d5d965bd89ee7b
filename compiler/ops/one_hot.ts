// 1 where a whole number is `from` + the last axis's index, else 0: a choice of rows as a matrix.

import type { Op } from "../graph/op.ts";
import type { Dim } from "../values/dims.ts";
import { isWhole, numbers, refuse, zeros } from "./shape.ts";

export const one_hot: Op = {
  name: "one_hot",
  doc: "Whole numbers [..] as [.., count]: 1 at the number minus `from`, else 0.",
  call: { tensors: ["ids"], attrs: { count: undefined, from: 0 } },
  sizes: ["count", "from"],
  type: ([ids], attrs) => {
    if (!ids || !isWhole(ids)) return refuse(`one_hot takes whole numbers, not ${ids?.dtype ?? "nothing"}`);
    return { dtype: "f32", shape: [...ids.shape, attrs.count as Dim] };
  },
  gradient: () => [undefined],
  eval: ([ids], attrs, types) => {
    const out = zeros(types[0]!);
    const count = out.shape.at(-1)!;
    ids!.data.forEach((id, i) => {
      const place = id - (attrs.from as number);
      if (place >= 0 && place < count) out.data[i * count + place] = 1;
    });
    return [{ shape: numbers(types[0]!.shape), data: out.data }];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ at, read, inputs, output }, attrs) => {
      const id = read(
        0,
        inputs[0]!.shape.map((_, i) => at(i)),
      );
      return `select(0.0, 1.0, u32(${id}) == ${at(output.shape.length - 1)} + ${attrs.from as number}u)`;
    },
  },
  onnx: (write, [ids], node) => {
    const { shape } = node.inputs[0]!.type;
    const from = node.attrs.from as number;
    const end = write.node("Add", [write.node("Squeeze", [write.shape([node.type.shape.at(-1)!])]), write.constant([from], "i64", [])]);
    const places = write.node("Range", [write.constant([from], "i64", []), end, write.constant([1], "i64", [])]);
    const whole = write.node("Cast", [write.reshape(ids!, shape, [...shape, 1])], { to: write.code("i64") });
    return [write.node("Cast", [write.node("Equal", [whole, places])], { to: write.code("f32") })];
  },
};
