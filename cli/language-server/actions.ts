// The fixes that diagnostics carry, as what an editor offers: each where its mistake is marked, and all that do not touch each
// other at once.

import type { Span } from "../../grammar/tree.ts";
import type { Diagnostic, Fix } from "../../spec/diagnostic.ts";

export interface QuickFix {
  readonly diagnostic: Diagnostic;
  readonly fix: Fix;
  /** The diagnostic's first. */
  readonly preferred: boolean;
}

export const quickFixes = (diagnostics: readonly Diagnostic[], { file, start, end }: Span): readonly QuickFix[] =>
  diagnostics
    .filter(({ at }) => at?.file === file && at.start <= end && start <= at.end)
    .flatMap((diagnostic) => diagnostic.fixes.map((fix, i) => ({ diagnostic, fix, preferred: i === 0 })));

/** The first fix of every diagnostic of the file, without those that touch one chosen before. */
export const allFixes = (diagnostics: readonly Diagnostic[], file: string): readonly Fix[] => {
  const chosen: Fix[] = [];
  for (const { fixes } of diagnostics) {
    const [fix] = fixes;
    if (fix?.at.file === file && chosen.every(({ at }) => at.end < fix.at.start || fix.at.end < at.start)) chosen.push(fix);
  }
  return chosen;
};
