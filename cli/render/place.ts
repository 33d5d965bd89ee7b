// A span -> a place that another program can find: file, line, column and offset. And a diagnostic as plain sentences.

import type { Span } from "../../grammar/tree.ts";
import type { Diagnostic } from "../../spec/diagnostic.ts";
import { linesOf, type Position } from "./position.ts";

export type TextOf = (file: string) => string | undefined;

export interface Place {
  readonly file: string;
  readonly start: Position & { readonly offset: number };
  readonly end: Position & { readonly offset: number };
}

export const placeOf = (at: Span, text: TextOf): Place => {
  const { position } = linesOf(text(at.file) ?? "");
  return { file: at.file, start: { ...position(at.start), offset: at.start }, end: { ...position(at.end), offset: at.end } };
};

export const sentences = ({ message, label, notes, help }: Diagnostic): readonly string[] => [
  label ? `${message} (${label})` : message,
  ...notes.map((note) => note.message),
  ...(help ? [`help: ${help}`] : []),
];
