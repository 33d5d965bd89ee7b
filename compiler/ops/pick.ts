// One output of a node that has several. The graph gives it its type; the interpreter and the emitters look through it.

import type { Op } from "../graph/op.ts";
import { refuse } from "./shape.ts";

export const pick: Op = {
  name: "pick",
  doc: "One output of a node that has several.",
  type: () => refuse("made by graph.pick, which knows the types of all outputs"),
  eval: () => {
    throw new Error("the interpreter looks through pick");
  },
  flops: () => 0,
  onnx: () => {
    throw new Error("the emitter looks through pick");
  },
};
