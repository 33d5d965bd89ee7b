// A text as the base's tokenizer reads it.

import type { Dim } from "../values/dims.ts";
import { hostOp } from "./host.ts";
import { refuse } from "./shape.ts";

export const tokenize = hostOp({
  name: "tokenize",
  doc: "The first `count` token ids of a text, with what the tokenizer puts around every text, begun again where they are fewer; in first values only.",
  call: { tensors: [], attrs: { text: undefined, count: undefined }, texts: ["text"] },
  type: (_inputs, attrs) => {
    if (typeof attrs.text !== "string") return refuse("tokenize takes a text");
    return { dtype: "i32", shape: [attrs.count as Dim] };
  },
});
