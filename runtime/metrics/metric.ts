// What a metric is: a vector of statistics per item, and a function of the vectors' sum. Everything else follows from that form:
// a score over the whole split, confidence intervals and paired tests by resampling items (bootstrap.ts), no second pass.
// The one trick is sacrebleu's: BLEU, chrF and their like keep counts per sentence, means keep [value].

import type { MetricSignature } from "../../spec/metric.ts";

/** What was written for one input, and what people wrote for it: at least one reference. */
export interface Item {
  readonly hypothesis: string;
  readonly references: readonly string[];
}

export interface Metric {
  /** One vector per item, all of one length. What depends on the whole split (document frequencies) is fixed here. */
  readonly statistics: (items: readonly Item[]) => readonly Float64Array[];
  /** Scores by name, from the sum of the vectors of `count` items. Finite whenever `count` is at least 1. */
  readonly score: (sum: Float64Array, count: number) => Readonly<Record<string, number>>;
}

export type MetricSettings = Readonly<Record<string, number | boolean | string>>;

export interface TextMetric extends MetricSignature {
  readonly of: "text";
  readonly make: (settings: MetricSettings) => Metric;
}

/** Scores of all items together. Throws when there is none: a mean over nothing is no number. */
export const scoreItems = (metric: Metric, items: readonly Item[]): Readonly<Record<string, number>> => {
  if (items.length === 0) throw new Error("a metric needs at least one item");
  const vectors = metric.statistics(items);
  return metric.score(sumOf(vectors), vectors.length);
};

export const sumOf = (vectors: readonly Float64Array[]): Float64Array => {
  const sum = new Float64Array(vectors[0]?.length ?? 0);
  for (const vector of vectors) for (let i = 0; i < sum.length; i++) sum[i]! += vector[i]!;
  return sum;
};

/** The vector of a plain mean of several values. */
export const meanOf =
  (names: readonly string[]): Metric["score"] =>
  (sum, count) =>
    Object.fromEntries(names.map((name, i) => [name, sum[i]! / count]));
