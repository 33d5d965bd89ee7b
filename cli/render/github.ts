// Diagnostics -> GitHub's annotations, one line each.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { placeOf, sentences, type TextOf } from "./place.ts";

/** https://docs.github.com/actions/using-workflows/workflow-commands-for-github-actions: one line each, with its own escapes. */
export const renderGithub = (found: readonly Diagnostic[], text: TextOf): string =>
  found
    .map((diagnostic) => {
      const { code, severity, at } = diagnostic;
      const where = at && placeOf(at, text);
      const properties = {
        ...(where && { file: where.file, line: where.start.line, endLine: where.end.line }),
        // GitHub takes columns only for a mark on one line, and counts the last one in.
        ...(where &&
          where.start.line === where.end.line && {
            col: where.start.column,
            endColumn: Math.max(where.start.column, where.end.column - 1),
          }),
        title: code,
      };
      const list = Object.entries(properties).map(
        ([key, value]) => `${key}=${escapeData(String(value)).replaceAll(":", "%3A").replaceAll(",", "%2C")}`,
      );
      return `::${severity} ${list.join(",")}::${escapeData(sentences(diagnostic).join("\n"))}\n`;
    })
    .join("");

const escapeData = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
