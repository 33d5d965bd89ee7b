// The facts of splits -> a page: a line of counts per split, then rows with the trained part in brackets (in colour on a terminal).

import type { ShownRow, SplitFacts } from "../data-facts.ts";
import { safe } from "./columns.ts";
import { type Paint, paintFor } from "./paint.ts";
import { grouped } from "./table.ts";

export const renderData = (splits: readonly SplitFacts[], colour: boolean): string => {
  const paint = paintFor(colour);
  return splits.map((split) => renderSplit(split, paint, colour)).join("\n");
};

const share = (part: number, whole: number): string => `${whole === 0 ? 0 : ((100 * part) / whole).toPrecision(3)} %`;

const renderSplit = (split: SplitFacts, paint: Paint, colour: boolean): string => {
  const { name, path, blocks, sequence_len, rows, tokens, labels, truncated, dropped, emptyAnswers, lengths, shown } = split;
  const lines = [
    `${paint.strong(name)}: ${path}, ${grouped(rows)} rows for ${blocks.join(", ")} at sequence_len ${sequence_len}`,
    `  ${grouped(tokens)} tokens, ${share(labels, tokens)} of them trained; per row ${lengths.least} to ${lengths.most}, half up to ${lengths.median}, 95 % up to ${lengths.most95}`,
    `  ${grouped(truncated)} rows ${dropped ? "left out" : "cut"} (${share(truncated, dropped ? rows + truncated : rows)}), ${grouped(emptyAnswers)} empty answers`,
    "",
    ...shown.flatMap((row) => renderRow(row, paint, colour)),
  ];
  return `${lines.join("\n")}\n`;
};

const renderRow = ({ row, tokens, parts }: ShownRow, paint: Paint, colour: boolean): readonly string[] => {
  const text = parts
    .map((part) => {
      const shown = part.text.split("\n").map(safe).join("⏎\n");
      if (!part.trained) return shown;
      return colour
        ? shown
            .split("\n")
            .map((line) => paint.good(line))
            .join("\n")
        : `⟦${shown}⟧`;
    })
    .join("");
  return [`  row ${row}, ${tokens} tokens`, ...text.split("\n").map((line) => `    ${line}`), ""];
};
