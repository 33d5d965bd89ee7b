// The last line of a run, and the only one of a clean run; so it loads nothing of the rest.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { paintFor } from "./paint.ts";

/** `2 errors and 1 warning in 3 files`, the last line of a run. */
export const renderSummary = (found: readonly Diagnostic[], files: number, colour: boolean): string => {
  const paint = paintFor(colour);
  const errors = found.filter(({ severity }) => severity === "error").length;
  const warnings = found.length - errors;
  const where = `in ${count(files, "file")}`;
  if (!found.length) return `${paint.good("no problems")} ${where}\n`;
  const parts = [errors && paint.error(count(errors, "error")), warnings && paint.warning(count(warnings, "warning"))];
  return `${parts.filter((part) => part !== 0).join(" and ")} ${where}\n`;
};

export const count = (many: number, one: string): string => `${many} ${one}${many === 1 ? "" : "s"}`;
