// Diagnostics -> what a person reads: what is wrong, where, what was expected, one next step, and where to read more.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { safe } from "./columns.ts";
import { lastLine, renderFrame } from "./frame.ts";
import { type Paint, paintFor } from "./paint.ts";

export interface TextOptions {
  /** The text of a file that a span names, undefined when it cannot be shown. */
  readonly text: (file: string) => string | undefined;
  readonly colour: boolean;
  readonly columns?: number | undefined;
}

export const renderText = (found: readonly Diagnostic[], options: TextOptions): string => {
  const paint = paintFor(options.colour);
  return found.map((diagnostic) => renderOne(diagnostic, options, paint)).join("\n");
};

const renderOne = (diagnostic: Diagnostic, { text, columns }: TextOptions, paint: Paint): string => {
  const { code, severity, message, at, label, notes, help } = diagnostic;
  const mark = paint[severity];
  const places = [at, ...notes.map((note) => note.at)].filter((place) => place !== undefined);
  const gutter = String(Math.max(1, ...places.map((place) => lastLine(place, text(place.file))))).length;
  const fact = `${" ".repeat(gutter + 2)}${paint.edge("=")} `;

  let result = `${mark(`${severity}[${code}]`)}${paint.strong(`: ${safe(message)}`)}\n`;
  if (at) result += renderFrame({ at, text: text(at.file), label, arrow: "-->", paint, mark, gutter, columns });
  for (const note of notes) {
    result += `${fact}${safe(note.message)}\n`;
    if (note.at) result += renderFrame({ at: note.at, text: text(note.at.file), arrow: ":::", paint, mark: paint.edge, gutter, columns });
  }
  const more = paint.faint(`more: peft explain ${code}`);
  result += help ? `${fact}${paint.help(`help: ${safe(help)}`)}       ${more}\n` : `${fact}${more}\n`;
  return result;
};

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
