// An entry of the reference -> text for a terminal.

import type { Entry } from "../reference/entries.ts";
import { paintFor } from "./paint.ts";

export const renderEntry = ({ kind, signature, doc, facts, source }: Entry, colour: boolean, columns: number): string => {
  const paint = paintFor(colour);
  const lines = [
    paint.strong(signature.startsWith(kind) || !["metric", "op"].includes(kind) ? signature : `${kind} ${signature}`),
    ...(doc ? ["", ...doc.split("\n").flatMap((line) => wrapped(line, Math.min(columns, 120) - 2).map((part) => `  ${part}`))] : []),
    ...(facts.length || source ? [""] : []),
    ...facts.flatMap(([title, text]) =>
      wrapped(`${title}: ${text.replaceAll("`", "")}`, Math.min(columns, 120) - 4).map((part, i) => `  ${i ? "  " : ""}${part}`),
    ),
    ...(source ? [paint.faint(`  stdlib/${source}`)] : []),
  ];
  return `${lines.join("\n")}\n`;
};

const wrapped = (text: string, width: number): readonly string[] => {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line && line.length + word.length + 1 > width) {
      lines.push(line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line];
};
