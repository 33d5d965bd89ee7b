// tokenize(text, count) -> the first `count` ids of the text, with what the tokenizer puts around every text; from the start again where they are
// fewer. A text without a token is told.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { DiagnosticError } from "../diagnostic-error.ts";
import type { HostOp } from "./matrix.ts";

export const tokenize: HostOp = (_inputs, attrs, { tokenizer }) => {
  if (!tokenizer) throw new Error("tokenize needs the base's tokenizer");
  const ids = tokenizer.encode(attrs.text as string, { special: true });
  if (ids.length === 0)
    throw new DiagnosticError([
      diagnostics.text_without_tokens(undefined, { text: attrs.text as string }, { help: "write words that it can begin from" }),
    ]);
  return [Int32Array.from({ length: attrs.count as number }, (_, i) => ids[i % ids.length]!)];
};
