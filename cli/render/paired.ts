// Paired tests of a comparison as text, Markdown and CSV: a row per score, a column per candidate, in each the difference and both p.

import type { PairedScore } from "../significance.ts";
import { renderTable } from "./table.ts";

interface Grid {
  readonly methods: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const gridOf = (scores: readonly PairedScore[]): Grid => {
  const methods = [...new Set(scores.map(({ method }) => method))];
  const several = new Set(scores.map(({ on }) => on)).size > 1;
  const titles = [...new Set(scores.map(({ on, score }) => `${on} ${score}`))];
  return {
    methods,
    rows: titles.map((title) => {
      const own = scores.filter(({ on, score }) => `${on} ${score}` === title);
      const cells = methods.map((name) => cellOf(own.find(({ method }) => method === name)));
      return [several ? title : own[0]!.score, ...cells];
    }),
  };
};

const cellOf = (found: PairedScore | undefined): string =>
  found
    ? `${found.difference < 0 ? "−" : "+"}${Math.abs(found.difference).toPrecision(3)} (p ${share(found.bootstrap)}, ${share(found.randomised)})`
    : "";

const share = (p: number): string => (p < 0.001 ? "< 0.001" : p.toPrecision(2));

/** What the numbers are, as one sentence. */
export const pairedSays = (scores: readonly PairedScore[]): string =>
  `beside ${scores[0]?.with ?? ""}, paired by input, first seeds: the difference, and p of 1,000 bootstrap resamples and of 10,000 shuffles`;

export const renderPaired = (scores: readonly PairedScore[]): string => {
  const { methods, rows } = gridOf(scores);
  const columns = [{ title: "score" }, ...methods.map((title) => ({ title, align: "right" as const }))];
  return `${pairedSays(scores)}\n${renderTable(columns, rows, "")}`;
};

export const markdownPaired = (scores: readonly PairedScore[]): string => {
  const { methods, rows } = gridOf(scores);
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return [["score", ...methods], ["---", ...methods.map(() => "---:")], ...rows].map(line).join("");
};

export const csvPaired = (scores: readonly PairedScore[]): string =>
  [
    "on,score,with,method,difference,p bootstrap,p randomised",
    ...scores.map((one) => [one.on, one.score, one.with, one.method, one.difference, one.bootstrap, one.randomised].join(",")),
  ]
    .map((line) => `${line}\n`)
    .join("");
