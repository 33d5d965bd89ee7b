// One number, or a tensor filled with it. As ONNX a concrete one is an initializer; a symbolic one is expanded when it runs.

import type { DType } from "../graph/graph.ts";
import type { Op } from "../graph/op.ts";
import { isConcrete } from "../values/dims.ts";
import { dimsOf, refuse, zeros } from "./shape.ts";

export const constant: Op = {
  name: "constant",
  doc: "A scalar or a filled tensor.",
  call: { tensors: [], attrs: { value: undefined, shape: undefined, dtype: "f32" } },
  sizes: ["shape"],
  type: (inputs, attrs) =>
    inputs.length ? refuse("a constant has no inputs") : { dtype: attrs.dtype as DType, shape: dimsOf(attrs.shape) },
  gradient: () => [],
  eval: (_inputs, attrs, types) => {
    const out = zeros(types[0]!);
    out.data.fill(attrs.value as number);
    return [out];
  },
  flops: () => 0,
  onnx: (write, _inputs, node) => {
    const { dtype, shape } = node.type;
    const scalar = write.constant(node.attrs.value as number, dtype);
    if (shape.length === 0) return [scalar];
    const ones = shape.every((dim) => isConcrete(dim) && dim === 1);
    return [ones ? write.reshape(scalar, [], shape) : write.node("Expand", [scalar, write.shape(shape)])];
  },
};
