// The gradient of gather to its table: row v is the sum of dy where the id is v. Ids repeat, and the sums must come out the
// same in every run.

import type { Op } from "../graph/op.ts";
import type { Dim } from "../values/dims.ts";
import { product } from "../values/dims.ts";
import { isWhole, refuse, sameShape, show, zeros } from "./shape.ts";

export const gather_gradient: Op = {
  name: "gather_gradient",
  doc: "The gradient of `gather` to its table: the rows of dy, added up by id.",
  sizes: ["rows"],
  type: ([ids, dy], attrs) => {
    if (!ids || !dy || !isWhole(ids)) return refuse("gather_gradient takes whole-number ids and a gradient");
    if (!sameShape(ids.shape, dy.shape.slice(0, -1)))
      return refuse(`gather_gradient: ids ${show(ids.shape)} and rows ${show(dy.shape)} do not fit`);
    return { dtype: dy.dtype, shape: [attrs.rows as Dim, dy.shape.at(-1)!] };
  },
  eval: ([ids, dy], _attrs, types) => {
    const out = zeros(types[0]!);
    const width = out.shape[1]!;
    ids!.data.forEach((id, i) => {
      for (let k = 0; k < width; k++) out.data[id * width + k]! += dy!.data[i * width + k]!;
    });
    return [out];
  },
  flops: ([, dy]) => product(dy!.shape),
  wgsl: { form: "scatter", ids: 0, value: 1 },
  // ScatterND(add) loses updates on two threads where ids repeat. ScatterElements walks its indices in order on one thread;
  // 2048 rows of 256 take 3 to 5 ms, against 6 for a one-hot product with 512 ids and 36 for a product with the matrix of equal
  // ids.
  // The zeros, and the index of every element.
  holds: (node, bytes) => [[bytes(node.type), bytes(node.inputs[1]!.type)]],
  onnx: (write, [ids, dy], node) => {
    const { shape } = node.inputs[1]!.type;
    const width = shape.at(-1)!;
    const count = product(shape.slice(0, -1));
    const column = write.reshape(ids!, shape.slice(0, -1), [count, 1]);
    const index = write.node("Expand", [column, write.shape([1, width])]);
    const none = write.node("Expand", [write.constant(0, node.type.dtype), write.shape(node.type.shape)]);
    return [write.node("ScatterElements", [none, index, write.reshape(dy!, shape, [count, width])], { axis: 0, reduction: "add" })];
  },
};
