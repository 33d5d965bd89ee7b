// Measured sizes as a table: a row for each size that targets have in common.

import type { MeasuredSizes } from "../../spec/measured.ts";
import { renderTable } from "./table.ts";

export const renderMeasured = (lines: readonly MeasuredSizes[]): string =>
  lines
    .map(({ adapter, sizes }) => {
      const groups = new Map<string, string[]>();
      for (const [path, own] of Object.entries(sizes)) {
        const key = Object.entries(own)
          .map(([name, size]) => `${name} ${size}`)
          .join(", ");
        groups.set(key, [...(groups.get(key) ?? []), path]);
      }
      const rows = [...groups].sort(([a], [b]) => b.localeCompare(a, "en", { numeric: true }));
      return `${adapter}\n${renderTable(
        [{ title: "measured" }, { title: "targets", align: "right" }, { title: "" }],
        rows.map(([key, paths]) => [key, paths.length, paths.length > 3 ? `${paths.slice(0, 3).join(", ")}, …` : paths.join(", ")]),
      )}`;
    })
    .join("\n");
