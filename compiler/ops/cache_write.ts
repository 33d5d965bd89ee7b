// A cache [b, s, g, d] with new rows [b, t, g, d] written at their positions [b, t]. Positions of one row are distinct and
// inside the cache. Only generation uses it, so it has no gradient.

import type { Op } from "../graph/op.ts";
import type { Dim } from "../values/dims.ts";
import { isWhole, refuse, sameShape, show } from "./shape.ts";

export const cache_write: Op = {
  name: "cache_write",
  doc: "The cache with new rows written at their positions.",
  mixes: "time",
  type: ([cache, fresh, positions]) => {
    if (!cache || !fresh || !positions || cache.shape.length !== 4 || fresh.shape.length !== 4)
      return refuse("cache_write takes a cache, new rows and positions");
    const [b, , g, d] = cache.shape as [Dim, Dim, Dim, Dim];
    const t = fresh.shape[1]!;
    if (fresh.dtype !== cache.dtype || !sameShape(fresh.shape, [b, t, g, d]))
      return refuse(`cache_write: new rows ${show(fresh.shape)} do not fit the cache ${show(cache.shape)}`);
    if (!isWhole(positions) || !sameShape(positions.shape, [b, t]))
      return refuse(`cache_write: positions must be whole numbers ${show([b, t])}, not ${positions.dtype}${show(positions.shape)}`);
    return cache;
  },
  eval: ([cache, fresh, positions]) => {
    const [b, s, g, d] = cache!.shape as [number, number, number, number];
    const t = fresh!.shape[1]!;
    const data = cache!.data.slice();
    for (let row = 0; row < b; row++)
      for (let i = 0; i < t; i++) {
        const slot = positions!.data[row * t + i]!;
        data.set(fresh!.data.subarray((row * t + i) * g * d, (row * t + i + 1) * g * d), (row * s + slot) * g * d);
      }
    return [{ shape: cache!.shape, data }];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "work",
    over: 0,
    // The new row whose position is this slot, if there is one.
    element: ({ at, read, same, search, inputs, size, name }) => {
      const count = size(inputs[1]!.shape[1]!);
      const found = search(count, (i, inner) => `i32(${inner.read(2, [at(0), i])}) == i32(${at(1)})`);
      const fresh = read(1, [at(0), name(`min(${found}, ${count} - 1u)`), at(2), at(3)]);
      return `select(${same(0)}, ${fresh}, ${found} < ${count})`;
    },
  },
  onnx: (write, [cache, fresh, positions], node) => {
    const [b, t] = node.inputs[2]!.type.shape as [Dim, Dim];
    const range = write.node("Range", [
      write.constant([0], "i64", []),
      write.node("Squeeze", [write.shape([b])]),
      write.constant([1], "i64", []),
    ]);
    const row = write.node("Expand", [write.reshape(range, [b], [b, 1, 1]), write.shape([b, t, 1])]);
    const slot = write.node("Cast", [write.reshape(positions!, [b, t], [b, t, 1])], { to: write.code("i64") });
    return [write.node("ScatterND", [cache!, write.node("Concat", [row, slot], { axis: -1 }), fresh!])];
  },
};
