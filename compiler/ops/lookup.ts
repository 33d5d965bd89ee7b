// The codebook's entry of each index: what `codebook[code]` means.

import type { Op } from "../graph/op.ts";
import { entriesOf, needsEntries, tableFunction } from "./codebook.ts";
import { isWhole, refuse } from "./shape.ts";

export const lookup: Op = {
  name: "lookup",
  doc: "The codebook's entry of each index, as f32.",
  call: { tensors: ["index"], attrs: { table: undefined } },
  type: ([index], attrs) => {
    if (!index || !isWhole(index)) return refuse(`a codebook is indexed by whole numbers, not ${index?.dtype ?? "nothing"}`);
    return entriesOf(attrs) ? { dtype: "f32", shape: index.shape } : needsEntries("lookup");
  },
  eval: ([index], attrs) => {
    const entries = entriesOf(attrs)!;
    const data = Float64Array.from(index!.data, (i) => {
      if (!(i in entries)) throw new Error(`index ${i} is outside a codebook of ${entries.length} entries`);
      return entries[i]!;
    });
    return [{ shape: index!.shape, data }];
  },
  flops: () => 0,
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ same, prelude }, attrs) => {
      const table = tableFunction(entriesOf(attrs)!);
      prelude(table.text);
      return `${table.name}(u32(${same(0)}))`;
    },
  },
  onnx: (write, [index], node) => [write.node("Gather", [write.constant(entriesOf(node.attrs)!, "f32"), index!], { axis: 0 })],
};
