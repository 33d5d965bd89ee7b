// Rows -> a plain table: two spaces between columns, numbers to the right, no lines drawn. Wide characters count as wide.

import { widthOf } from "./columns.ts";

export type Cell = string | number;

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

export const renderTable = (columns: readonly Column[], rows: readonly (readonly Cell[])[], indent = "  "): string => {
  const texts = [columns.map(({ title }) => title), ...rows.map((row) => row.map(shown))];
  const widths = columns.map((_, index) => Math.max(...texts.map((row) => widthOf(row[index] ?? ""))));
  const line = (row: readonly string[]): string =>
    (
      indent +
      row
        .map((text, index) => {
          const space = " ".repeat(widths[index]! - widthOf(text));
          return columns[index]!.align === "right" ? space + text : text + space;
        })
        .join("  ")
    ).trimEnd();
  return `${texts.map(line).join("\n")}\n`;
};

const shown = (cell: Cell): string => (typeof cell === "number" ? grouped(cell) : cell);

/** 1234567 → 1,234,567. */
export const grouped = (value: number): string => (Number.isInteger(value) ? value.toLocaleString("en-US") : String(value));

const binary = ["B", "KiB", "MiB", "GiB", "TiB"];

/** What so many bytes are counted in: 1610612736 in GiB. */
export const byteUnit = (value: number): { readonly name: string; readonly size: number } => {
  const power = Math.min(binary.length - 1, value < 1024 ? 0 : Math.floor(Math.log2(value) / 10));
  return { name: binary[power]!, size: 1024 ** power };
};

/** 1610612736 → 1.50 GiB: three figures. */
export const bytes = (value: number): string => {
  const { name, size } = byteUnit(value);
  return `${size === 1 ? value : figures(value / size)} ${name}`;
};

/** 1234567 → "1.23 M", 12 → "12 ": a unit follows at once. */
export const metric = (value: number): string => {
  const power = Math.min(5, value < 1000 ? 0 : Math.floor(Math.log10(value) / 3));
  return `${power === 0 ? value : figures(value / 1000 ** power)} ${power === 0 ? "" : " kMGTP"[power]}`;
};

const figures = (value: number): string => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
