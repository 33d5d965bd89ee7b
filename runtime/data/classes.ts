// Rows whose answer is one of a few classes -> examples: the whole prompt with what the tokenizer puts around a text, and the class's
// number. A row too long loses the end of its text, never what stands after it.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Data } from "../../spec/job-data.ts";
import { DiagnosticError } from "../diagnostic-error.ts";
import type { Tokenizer } from "../tokenizer.ts";
import type { EncodeOptions, Examples, ExamplesReport } from "./examples.ts";
import { nothingFits, tellLonger } from "./overlong.ts";
import type { Row } from "./row.ts";
import { fillTemplate, parseTemplate } from "./template.ts";

/** Throws a DiagnosticError when an answer is none of the classes. */
export const encodeClasses = (
  rows: readonly Row[],
  data: Pick<Data, "prompt" | "answer"> & { readonly classes: readonly string[] },
  tokenizer: Tokenizer,
  { limit, vocabulary, overlong }: EncodeOptions,
  path: string,
  place: (row: Row) => string,
): { examples: Examples; report: ExamplesReport } => {
  const prompt = parseTemplate(data.prompt ?? "");
  const answer = parseTemplate(data.answer);
  const around = tokenizer.encode("", { special: true });
  const before = tokenizer.prefix.length;
  const strange: string[] = [];
  const encoded: number[][] = [];
  const classes: number[] = [];
  const kept: Row[] = [];
  let truncated = 0;
  let longest = 0;
  for (const row of rows) {
    const told = fillTemplate(answer, row.values);
    const number = data.classes.indexOf(told);
    if (number < 0) strange.push(`${place(row)}: "${told}"`);
    const text = tokenizer.encode(fillTemplate(prompt, row.values));
    longest = Math.max(longest, text.length + around.length);
    if (text.length + around.length > limit) {
      truncated++;
      if (overlong === "drop") continue;
    }
    kept.push(row);
    encoded.push([...around.slice(0, before), ...text.slice(0, Math.max(0, limit - around.length)), ...around.slice(before)]);
    classes.push(number);
  }
  if (strange.length > 0)
    throw new DiagnosticError([
      diagnostics.data_no_class(
        undefined,
        { count: strange.length, total: rows.length, path },
        { notes: strange.slice(0, 5).map((message) => ({ message })), help: `the classes are: ${data.classes.join(", ")}` },
      ),
    ]);
  const warnings = tellLonger({ count: truncated, total: rows.length, path, limit, longest }, overlong);
  const count = kept.length;
  if (count === 0) throw nothingFits(path, limit);
  const largest = encoded.reduce((most, ids) => ids.reduce((a, b) => Math.max(a, b), most), 0);
  if (largest >= vocabulary)
    throw new DiagnosticError([
      diagnostics.token_out_of_range(undefined, { id: largest, token: tokenizer.tokenOf(largest) ?? "", size: vocabulary }),
    ]);
  const starts = new Int32Array(count + 1);
  for (const [i, ids] of encoded.entries()) starts[i + 1] = starts[i]! + ids.length;
  const ids = Int32Array.from(encoded.flat());
  const examples: Examples = {
    count,
    ids,
    labels: new Uint8Array(ids.length),
    starts,
    rows: Int32Array.from(kept, (row) => row.number),
    classes: Int32Array.from(classes),
  };
  return {
    examples,
    report: { path, rows: count, tokens: ids.length, labels: count, truncated, emptyAnswers: 0, longest, warnings },
  };
};
