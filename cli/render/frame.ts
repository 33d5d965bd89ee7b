// One marked place -> its code frame:
//
//    --> menu.peft:7:52
//   7 | adapter menu = lora(r: 8) into tiny.layers.*.attn.{q_proj, v}
//     |                                                    ^^^^^^ no such child
//
// A mark that runs over several lines shows its first and its last. On a terminal a line too long for it is cut around the mark.

import type { Span } from "../../grammar/tree.ts";
import { type Screen, safe, screenOf, slice, widthOf } from "./columns.ts";
import type { Paint } from "./paint.ts";
import { type Lines, linesOf } from "./position.ts";

export interface Frame {
  readonly at: Span;
  readonly text: string | undefined;
  readonly label?: string | undefined;
  /** `-->` for the place to blame, `:::` for a further one. */
  readonly arrow: "-->" | ":::";
  readonly paint: Paint;
  readonly mark: (text: string) => string;
  /** Width of the widest line number of this diagnostic. */
  readonly gutter: number;
  readonly columns?: number | undefined;
}

/** The largest line number a frame at `at` will show. */
export const lastLine = (at: Span, text: string | undefined): number => (text === undefined ? 1 : ends(at, linesOf(text)).last.line);

const ends = (at: Span, lines: Lines) => {
  const first = lines.position(at.start);
  // A span that ends with a line break ends on the line before it.
  const last = lines.position(Math.max(at.start, at.end - 1));
  return { first, last };
};

export const renderFrame = (frame: Frame): string => {
  const { at, text, arrow, paint, gutter } = frame;
  const margin = " ".repeat(gutter + 1);
  if (text === undefined) return `${margin}${paint.edge(arrow)} ${safe(at.file)}\n`;
  const lines = linesOf(text);
  const { first, last } = ends(at, lines);
  const head = `${margin}${paint.edge(arrow)} ${safe(at.file)}:${first.line}:${first.column}\n`;
  if (first.line === last.line) {
    const source = lines.line(first.line);
    return (
      head + row(frame, source, first.line, first.column - 1, Math.min(at.end - at.start + first.column - 1, source.length), frame.label)
    );
  }
  const opening = lines.line(first.line);
  const closing = lines.line(last.line);
  const gap = last.line - first.line > 1 ? `${margin}${paint.edge("...")}\n` : "";
  return (
    head +
    row(frame, opening, first.line, first.column - 1, opening.length, undefined) +
    gap +
    row(frame, closing, last.line, closing.length - closing.trimStart().length, last.column, frame.label)
  );
};

const row = (frame: Frame, source: string, number: number, start: number, end: number, label: string | undefined): string => {
  const { paint, gutter } = frame;
  const screen = screenOf(source);
  const from = screen.column(start);
  const width = Math.max(1, screen.column(end) - from);
  const view = window(screen, from, width, label, frame.columns === undefined ? undefined : frame.columns - gutter - 4);
  const bar = paint.edge("|");
  const marks = frame.mark("^".repeat(view.width) + (label ? ` ${safe(label)}` : ""));
  return ` ${paint.edge(String(number).padStart(gutter))} ${bar} ${view.text}\n ${" ".repeat(gutter)} ${bar} ${" ".repeat(view.from)}${marks}\n`;
};

/** The part of a line that fits with the mark and its label in it. */
const window = (screen: Screen, from: number, width: number, label: string | undefined, room: number | undefined) => {
  const wanted = width + (label ? widthOf(label) + 1 : 0);
  if (room === undefined || room < 20 || Math.max(screen.width, from + wanted) <= room) return { text: screen.text.trimEnd(), from, width };
  // As much before the mark as after it, and never so far left that the label is cut where it need not be.
  const centred = from - Math.floor(Math.max(0, room - wanted) / 2);
  const left = Math.max(0, Math.min(centred, Math.max(screen.width, from + wanted) - room + 1));
  const right = left + room;
  const cut = slice(screen.text, left + (left ? 1 : 0), right - (right < screen.width ? 1 : 0));
  return {
    text: `${left ? "…" : ""}${cut}${right < screen.width ? "…" : ""}`.trimEnd(),
    from: from - left,
    width: Math.min(width, right - from),
  };
};
