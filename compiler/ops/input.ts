// A named end of a graph. Its attributes carry its type.

import type { DType } from "../graph/graph.ts";
import type { Op } from "../graph/op.ts";
import { dimsOf, refuse } from "./shape.ts";

export const input: Op = {
  name: "input",
  doc: "A named input of a segment.",
  sizes: ["shape"],
  type: (inputs, attrs) => (inputs.length ? refuse("an input has no inputs") : { dtype: attrs.dtype as DType, shape: dimsOf(attrs.shape) }),
  eval: () => {
    throw new Error("an input's value is given, not computed");
  },
  flops: () => 0,
  onnx: () => {
    throw new Error("an input is a port of the graph, not a node");
  },
};
