// Diagnostics -> our JSON: every place by file, line, column and offset, and the fixes, so that an editor can apply them.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { placeOf, type TextOf } from "./place.ts";

export const renderJson = (found: readonly Diagnostic[], files: readonly string[], text: TextOf): string => {
  const errors = found.filter(({ severity }) => severity === "error").length;
  const report = {
    files,
    errors,
    warnings: found.length - errors,
    diagnostics: found.map(({ at, notes, fixes, ...rest }) => ({
      ...rest,
      ...(at && { at: placeOf(at, text) }),
      notes: notes.map((note) => ({ message: note.message, ...(note.at && { at: placeOf(note.at, text) }) })),
      fixes: fixes.map((fix) => ({ title: fix.title, insert: fix.insert, at: placeOf(fix.at, text) })),
    })),
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
};
