// The results of a set of points -> one table: a row per point, points that differ in their seed alone in one row with the mean and the
// spread. What a column holds is said once, here; text, Markdown, CSV and reports all print this.

import type { Figures } from "../compiler/blocks/figures.ts";
import type { Result } from "../spec/result.ts";
import type { PairedScore } from "./significance.ts";

export interface PointRun {
  readonly id: string;
  readonly values: Readonly<Record<string, string>>;
  readonly subject: string;
  readonly result: Result;
}

export interface Column {
  readonly title: string;
  readonly unit?: "bytes" | "percent" | "count" | "milliseconds" | "rate";
}

export interface PointRow {
  /** By key; the seed left out. */
  readonly values: Readonly<Record<string, string>>;
  /** Per column: one number per seed; empty where a point has none. */
  readonly cells: readonly (readonly number[])[];
  /** What others found for the same point: per column one number or none. */
  readonly beside: readonly { readonly title: string; readonly cells: readonly (readonly number[])[] }[];
}

export interface PointTable {
  readonly kind: "sweep" | "compare";
  readonly name: string;
  readonly keys: readonly string[];
  readonly columns: readonly Column[];
  readonly rows: readonly PointRow[];
  /** A comparison's candidates beside the first of them. */
  readonly paired: readonly PairedScore[];
}

interface Measure extends Column {
  readonly of: (run: PointRun) => number | undefined;
}

const trainOf = ({ result, subject }: PointRun) => result.train.find(({ adapter }) => adapter === subject);

/** Of a process that trains and evaluates; the base's evaluates alone. */
const peakOf = ({ result, subject }: PointRun): number | undefined =>
  result.evaluate.findLast((one) => one.subject === subject)?.peakMemory;

const millisecondsOf =
  (figure: "secondsPerToken" | "mergedSecondsPerToken"): Measure["of"] =>
  ({ result, subject }) => {
    const seconds = result.inference?.find((one) => one.subject === subject)?.[figure];
    return seconds === undefined ? undefined : 1000 * seconds;
  };

const costs: readonly Measure[] = [
  { title: "trained", unit: "count", of: ({ result, subject }) => result.adapters[subject]?.trainable },
  { title: "share", unit: "percent", of: ({ result, subject }) => result.adapters[subject]?.share },
  { title: "on disk", unit: "bytes", of: ({ result, subject }) => result.adapters[subject]?.bytes },
  { title: "values", unit: "bytes", of: (run) => trainOf(run)?.deviceMemory },
  { title: "train peak", unit: "bytes", of: (run) => trainOf(run)?.peakMemory },
  { title: "peak memory", unit: "bytes", of: peakOf },
  { title: "tokens/s", unit: "rate", of: (run) => trainOf(run)?.tokensPerSecond },
  { title: "ms/token", unit: "milliseconds", of: millisecondsOf("secondsPerToken") },
  { title: "merged", unit: "milliseconds", of: millisecondsOf("mergedSecondsPerToken") },
];

/** Scores of every evaluation; the split is said where there are several. */
const scores = (runs: readonly PointRun[]): Measure[] => {
  const blocks = new Map<string, Set<string>>();
  for (const { result, subject } of runs)
    for (const [i, { metrics, data, split }] of result.evaluate.filter((one) => one.subject === subject).entries()) {
      const key = `${i} ${data}.${split}`;
      for (const name of Object.keys(metrics)) blocks.set(key, (blocks.get(key) ?? new Set()).add(name));
    }
  return [...blocks].flatMap(([key, names]) => {
    const [place, split] = key.split(" ") as [string, string];
    return [...names].map((name) => ({
      title: blocks.size > 1 ? `${split} ${name}` : name,
      of: ({ result, subject }: PointRun) => result.evaluate.filter((one) => one.subject === subject)[Number(place)]?.metrics[name],
    }));
  });
};

export const pointTable = (
  kind: PointTable["kind"],
  name: string,
  runs: readonly PointRun[],
  { beside = [], paired = [] }: { readonly beside?: readonly Figures[]; readonly paired?: readonly PairedScore[] } = {},
): PointTable => {
  const keys = [...new Set(runs.flatMap(({ values }) => Object.keys(values)))].filter((key) => key !== "seed");
  const measures: readonly Measure[] = [
    ...(kind === "sweep" ? costs.slice(0, 1) : costs),
    ...(kind === "sweep" ? [{ title: "train loss", of: (run: PointRun) => tailLoss(trainOf(run)?.losses) }] : []),
    ...scores(runs),
    ...(kind === "compare" ? forgotten(runs) : []),
  ];
  const groups = new Map<string, PointRun[]>();
  for (const run of runs) {
    const key = JSON.stringify(keys.map((one) => run.values[one]));
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  const filled = measures.filter(({ of }) => runs.some((run) => of(run) !== undefined));
  const rows = [...groups.values()].map((group): PointRow => {
    const values = Object.fromEntries(keys.map((key) => [key, group[0]!.values[key] ?? ""]));
    return {
      values,
      cells: filled.map(({ of }) => group.flatMap((run) => of(run) ?? [])),
      beside: beside.flatMap((figures) => besideRow(figures, values, filled) ?? []),
    };
  });
  return { kind, name, keys, columns: filled.map(({ title, unit }) => ({ title, ...(unit && { unit }) })), rows, paired };
};

/** How far the first score on other data than was trained on moved from the base's: what was forgotten. */
const forgotten = (runs: readonly PointRun[]): readonly Measure[] => {
  const plain = runs.find(({ result }) => result.train.length === 0);
  const learnt = new Set(runs.map((run) => trainOf(run)?.data));
  return (plain?.result.evaluate ?? []).flatMap(({ data, split, metrics }, place): readonly Measure[] => {
    const [name] = Object.keys(metrics);
    if (learnt.has(data) || name === undefined) return [];
    const of = (run: PointRun): number | undefined => {
      const after = run.result.evaluate.filter(({ subject }) => subject === run.subject)[place]?.metrics[name];
      return run === plain || after === undefined ? undefined : after - metrics[name]!;
    };
    return [{ title: `${data}.${split} ${name} change`, of }];
  });
};

/** The figures of one point under the columns of the same name; the first of several evaluations. */
const besideRow = (
  { title, rows }: Figures,
  values: PointRow["values"],
  columns: readonly Measure[],
): PointRow["beside"][number] | undefined => {
  const found = rows.find((row) => Object.entries(row.values).every(([key, value]) => sameValue(value, values[key])));
  if (!found) return undefined;
  const taken = new Set<string>();
  const cells = columns.map(({ title: column }) => {
    const score = column.split(" ").at(-1)!;
    if (column === "train loss" || taken.has(score) || found.scores[score] === undefined) return [];
    taken.add(score);
    return [found.scores[score]];
  });
  return { title, cells };
};

/** `1e-3` and `0.001` are one value. */
const sameValue = (a: string, b: string | undefined): boolean => b !== undefined && (a === b || (b !== "" && Number(a) === Number(b)));

/** The mean of the last twentieth of the steps: one step's loss says more about its batch than about the run. */
const tailLoss = (losses: readonly number[] | undefined): number | undefined => {
  if (!losses?.length) return undefined;
  const tail = losses.slice(-Math.max(1, Math.round(losses.length / 20)));
  return tail.reduce((a, b) => a + b, 0) / tail.length;
};

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** The standard deviation of a sample. */
export const spread = (values: readonly number[]): number => {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / Math.max(1, values.length - 1));
};
