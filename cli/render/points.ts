// A table of points as text, Markdown and CSV. A cell of several seeds is its mean and their standard deviation.

import { mean, type PointRow, type PointTable, spread } from "../point-table.ts";
import { metricNotes } from "./metric-notes.ts";
import { bytes, byteUnit, grouped, renderTable } from "./table.ts";

export const renderPoints = (table: PointTable): string => {
  const right = (title: string) => ({ title, align: "right" as const });
  const columns = [
    ...table.keys.map((key) => ({ title: key })),
    ...(hasSeeds(table) ? [right("seeds")] : []),
    ...table.columns.map(({ title }) => right(title)),
  ];
  return [renderTable(columns, linesOf(table), ""), ...notesOf(table).map((note) => `${note}\n`)].join("");
};

export const markdownPoints = (table: PointTable): string => {
  const head = [...table.keys, ...(hasSeeds(table) ? ["seeds"] : []), ...table.columns.map(({ title }) => title)];
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  const rule = head.map((_, i) => (i < table.keys.length ? "---" : "---:"));
  return [...[head, rule, ...linesOf(table)].map(line), ...notesOf(table).map((note) => `\n${note}.\n`)].join("");
};

/** Every number in full: the mean, the deviation and the count of each cell. */
export const csvPoints = (table: PointTable): string => {
  const quoted = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const theirs = table.rows.some(({ beside }) => beside.length > 0);
  const own = theirs ? [""] : [];
  const head = [
    ...table.keys,
    ...(theirs ? ["figures of"] : []),
    ...table.columns.flatMap(({ title }) => [title, `${title} deviation`, `${title} seeds`]),
  ];
  const numbers = (cells: readonly (readonly number[])[]): string[] =>
    cells.flatMap((cell) =>
      cell.length ? [String(mean(cell)), cell.length > 1 ? String(spread(cell)) : "", String(cell.length)] : ["", "", "0"],
    );
  const rows = table.rows.flatMap(({ values, cells, beside }) => {
    const keys = table.keys.map((key) => values[key]!);
    return [[...keys, ...own, ...numbers(cells)], ...beside.map((other) => [...keys, other.title, ...numbers(other.cells)])];
  });
  return [head, ...rows].map((row) => `${row.map(quoted).join(",")}\n`).join("");
};

const peakNote =
  "peak memory is the largest of a process that trains and evaluates, train peak up to the end of training; the base is evaluated only";

/** A column of a score ends with the score's name. */
const notesOf = ({ columns }: PointTable): readonly string[] => [
  ...(columns.some(({ title }) => title === "train peak") ? [peakNote] : []),
  ...metricNotes([...new Set(columns.map(({ title }) => title.split(" ").at(-1)!))]),
];

const hasSeeds = ({ rows }: PointTable): boolean => rows.some(({ cells }) => cells.some((cell) => cell.length > 1));

/** Every row, and under it what others found for the same point, under their name. */
const linesOf = (table: PointTable): string[][] =>
  table.rows.flatMap((row) => [
    rowOf(table, row),
    ...row.beside.map(({ title, cells }) => [
      title,
      ...table.keys.slice(1).map(() => ""),
      ...(hasSeeds(table) ? [""] : []),
      ...cells.map((cell, i) => cellText(cell, table.columns[i]!.unit)),
    ]),
  ]);

const rowOf = (table: PointTable, { values, cells }: PointRow): string[] => [
  ...table.keys.map((key) => values[key]!),
  ...(hasSeeds(table) ? [String(Math.max(0, ...cells.map((cell) => cell.length)))] : []),
  ...cells.map((cell, i) => cellText(cell, table.columns[i]!.unit)),
];

export const cellText = (cell: readonly number[], unit: PointTable["columns"][number]["unit"]): string => {
  if (!cell.length) return "";
  const value = mean(cell);
  const deviation = cell.length > 1 ? spread(cell) : 0;
  const written = (number: number): string => inUnit(number, unit);
  if (unit && unit !== "milliseconds" && deviation === 0) return written(value);
  if (unit === "count" || unit === "rate") return `${written(value)} ± ${written(deviation)}`;
  if (cell.length === 1) return value.toPrecision(4);
  if (unit === "percent") return `${besides(100 * value, 100 * deviation)} %`;
  if (unit !== "bytes") return besides(value, deviation);
  const { name, size } = byteUnit(value);
  return `${besides(value / size, deviation / size)} ${name}`;
};

/** A mean and its deviation, with as many decimals as the deviation's two figures need. */
const besides = (value: number, deviation: number): string => {
  const decimals = Math.max(0, Math.min(6, deviation > 0 ? 1 - Math.floor(Math.log10(deviation)) : 4));
  return `${value.toFixed(decimals)} ± ${deviation.toFixed(decimals)}`;
};

const inUnit = (value: number, unit: PointTable["columns"][number]["unit"]): string => {
  if (unit === "bytes") return bytes(Math.round(value));
  return unit === "percent" ? `${(100 * value).toPrecision(3)} %` : grouped(Math.round(value));
};
