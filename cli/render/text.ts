// Diagnostics -> what a person reads: what is wrong, where, what was expected, one next step, and where to read more.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { safe, widthOf } from "./columns.ts";
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

const apart = "       ";

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
  const more = `more: peft explain ${code}`;
  if (!help) return `${result}${fact}${paint.faint(more)}\n`;
  const advice = `help: ${safe(help)}`;
  const together = gutter + 4 + widthOf(advice) + apart.length + more.length <= (columns ?? Number.POSITIVE_INFINITY);
  result += `${fact}${paint.help(advice)}${together ? apart : `\n${fact}`}${paint.faint(more)}\n`;
  return result;
};
