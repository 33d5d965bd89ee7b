// The same report for a pull request or a wiki: tables and no pictures.

import { metricNotes } from "../render/metric-notes.ts";
import { markdownPaired, pairedSays } from "../render/paired.ts";
import { markdownPoints } from "../render/points.ts";
import { grouped } from "../render/table.ts";
import type { Reported } from "./read.ts";

export const renderMarkdown = ({ result, sets, source }: Reported): string => {
  const first = result ?? sets[0]?.runs[0]?.result;
  const parts = [`# ${first?.name ?? "report"}\n`];
  if (first)
    parts.push(`${first.base.name}, ${grouped(first.base.parameters)} parameters, on ${first.device.name}; peft ${first.versions.peft}\n`);
  if (result?.evaluate.length) {
    const names = [...new Set(result.evaluate.flatMap(({ metrics }) => Object.keys(metrics)))];
    const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
    const rows = result.evaluate.map(({ subject, data, split, rows: count, metrics }) =>
      line([subject, `${data}.${split}`, String(count), ...names.map((name) => metrics[name]?.toPrecision(4) ?? "")]),
    );
    parts.push(
      `## Evaluation\n\n${line(["subject", "on", "rows", ...names])}${line(["---", "---", ...names.map(() => "---:"), "---:"])}${rows.join("")}${metricNotes(
        names,
      )
        .map((note) => `\n${note}.\n`)
        .join("")}`,
    );
  }
  for (const { table, of } of sets)
    parts.push(
      `## ${table.name} (${table.kind === "sweep" ? `sweep over ${of}` : `comparison on ${of}`})\n\n${markdownPoints(table)}${table.paired.length ? `\n${pairedSays(table.paired)}:\n\n${markdownPaired(table.paired)}` : ""}`,
    );
  if (source) parts.push(`## Pipeline\n\n\`\`\`peft\n${source.trimEnd()}\n\`\`\`\n`);
  return parts.join("\n");
};
