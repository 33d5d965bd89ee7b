// The answers that a comparison's candidates left -> for each score on text, how far every one is from the first candidate, and how likely so
// much is by chance. Paired by input, of the first seed, since draws over inputs say nothing of seeds: those are the table's ±.

import { readFileSync } from "node:fs";
import { metrics as known } from "../runtime/metrics/list.ts";
import type { Item, Metric } from "../runtime/metrics/metric.ts";
import { approximateRandomisation, pairedBootstrap } from "../runtime/metrics/paired.ts";
import type { Evaluate, MetricCall } from "../spec/job.ts";
import type { PointRun } from "./point-table.ts";

export interface PairedScore {
  /** `orders.eval`. */
  readonly on: string;
  readonly score: string;
  /** Compared with this candidate. */
  readonly with: string;
  readonly method: string;
  readonly difference: number;
  /** Of paired bootstrap resampling, and of approximate randomisation. */
  readonly bootstrap: number;
  readonly randomised: number;
}

/** `evaluates` are the blocks that every candidate was evaluated by, in order. */
export const pairedScores = (runs: readonly PointRun[], evaluates: readonly Evaluate[]): readonly PairedScore[] => {
  const first = new Map<string, PointRun>();
  for (const run of runs) if (!first.has(run.values.method!)) first.set(run.values.method!, run);
  const baseline = [...first.values()].find(({ result }) => result.train.length > 0);
  if (!baseline) return [];
  return evaluates.flatMap((block, i): readonly PairedScore[] => {
    const base = itemsOf(baseline, i);
    if (!base) return [];
    return block.metrics.flatMap((call) => {
      const metric = made(call);
      if (!metric) return [];
      const vectors = metric.statistics(base);
      return [...first.values()].flatMap((run): readonly PairedScore[] => {
        const items = run === baseline ? undefined : itemsOf(run, i);
        if (!items || items.length !== base.length) return [];
        const own = metric.statistics(items);
        const [resampled, shuffled] = [pairedBootstrap(metric, vectors, own), approximateRandomisation(metric, vectors, own)];
        return Object.entries(resampled).map(([score, { difference, p }]) => ({
          on: `${block.data}.${block.split}`,
          score,
          with: baseline.values.method!,
          method: run.values.method!,
          difference,
          bootstrap: p,
          randomised: shuffled[score]!.p,
        }));
      });
    });
  });
};

const made = ({ name, settings }: MetricCall): Metric | undefined => {
  const metric = known.find((one) => one.name === name);
  return metric?.of === "text" ? metric.make(settings) : undefined;
};

/** What was answered in a block; undefined where not every input was. */
const itemsOf = ({ result, subject }: PointRun, block: number): readonly Item[] | undefined => {
  const path = result.evaluate.filter((one) => one.subject === subject)[block]?.answers;
  if (path === undefined) return undefined;
  return readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly answer: string; readonly references: readonly string[] })
    .map(({ answer, references }) => ({ hypothesis: answer.trim(), references }));
};
