// Rows that are longer than a block's limit: counted, and said, whatever becomes of them.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Overlong } from "../../spec/job-data.ts";
import { DiagnosticError } from "../diagnostic-error.ts";

export interface Longer {
  /** Rows longer than the limit, of `total`. */
  readonly count: number;
  readonly total: number;
  readonly path: string;
  readonly limit: number;
  /** Tokens of the longest. */
  readonly longest: number;
  /** What is measured: the rows, or the prompts that an encoder reads. */
  readonly of?: "row" | "prompt";
}

/** The warnings. Throws a DiagnosticError where no row may be longer. */
export const tellLonger = (
  { count, total, path, limit, longest, of = "row" }: Longer,
  how: Overlong | undefined,
): readonly Diagnostic[] => {
  if (count === 0) return [];
  const setting = of === "row" ? "sequence_len" : "source_len";
  const details = { notes: [{ message: `the longest ${of} has ${longest} tokens` }], help: `${setting}: ${longest} keeps everything` };
  const about = { count, total, path, limit: `${setting} ${limit}` };
  if (how === "error") throw new DiagnosticError([diagnostics.data_overlong(undefined, about, details)]);
  return [how === "drop" ? diagnostics.data_dropped(undefined, about, details) : diagnostics.data_truncated(undefined, about, details)];
};

/** Every row is left out. */
export const nothingFits = (path: string, limit: number): DiagnosticError =>
  new DiagnosticError([diagnostics.data_empty(undefined, { path, because: ` left: none fits into ${limit} tokens` })]);
