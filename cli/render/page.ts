// A diagnostic page -> text for a terminal. Pages use a small part of Markdown: headings, one quote, paragraphs, fenced blocks.

import { paintFor } from "./paint.ts";

export const renderPage = (page: string, colour: boolean): string => {
  const paint = paintFor(colour);
  let fenced = false;
  const lines: string[] = [];
  for (const line of page.trimEnd().split("\n")) {
    if (line.startsWith("```")) fenced = !fenced;
    else if (fenced) lines.push(`    ${line}`.trimEnd());
    else if (line.startsWith("# ")) lines.push(paint.strong(line.slice(2)));
    else if (line.startsWith("## "))
      lines.push(line === "## Wrong" ? paint.error("wrong") : line === "## Right" ? paint.good("right") : paint.strong(line.slice(3)));
    else if (line.startsWith("> ")) lines.push(`  ${paint.warning(line.slice(2))}`);
    else lines.push(line);
  }
  return `${lines.join("\n")}\n`;
};
