// How sure a score is, and whether one system is better than another, by drawing items anew (Efron 1979; Koehn 2004), as sacrebleu's
// --confidence and --paired-bs: the 95 % interval is the middle of the resampled scores, p is how often the resampled difference, its
// mean taken away, is as far from zero as the difference that was measured. Draws follow from the seed alone.

import { stream } from "../draw.ts";
import { type Metric, sumOf } from "./metric.ts";

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface Paired {
  /** Of the second system over the first. */
  readonly difference: number;
  readonly p: number;
}

const draws = 1000;

/** Sums of `times` samples of as many items as there are, one list of vectors per system; the same items are drawn for all of them. */
function* samples(systems: readonly (readonly Float64Array[])[], seed: number, times: number): Generator<readonly Float64Array[]> {
  const count = systems[0]!.length;
  const block = stream(seed, "bootstrap");
  const words = new Uint32Array(4);
  let drawn = 0;
  for (let time = 0; time < times; time++) {
    const sums = systems.map((vectors) => new Float64Array(vectors[0]!.length));
    for (let k = 0; k < count; k++, drawn++) {
      if (drawn % 4 === 0) block(drawn / 4, words);
      const item = Math.floor((words[drawn % 4]! / 4294967296) * count);
      for (const [s, vectors] of systems.entries()) {
        const [sum, vector] = [sums[s]!, vectors[item]!];
        for (let i = 0; i < sum.length; i++) sum[i]! += vector[i]!;
      }
    }
    yield sums;
  }
}

/** 95 % intervals of every score. */
export const intervals = (metric: Metric, vectors: readonly Float64Array[], seed = 12345, times = draws): Record<string, Interval> => {
  const scores = new Map<string, number[]>();
  for (const [sum] of samples([vectors], seed, times))
    for (const [name, score] of Object.entries(metric.score(sum!, vectors.length))) {
      const list = scores.get(name);
      if (list) list.push(score);
      else scores.set(name, [score]);
    }
  return Object.fromEntries([...scores].map(([name, list]) => [name, middle(list)]));
};

const middle = (scores: number[]): Interval => {
  scores.sort((a, b) => a - b);
  const at = (share: number): number => scores[Math.min(scores.length - 1, Math.max(0, Math.floor(share * scores.length)))]!;
  return { low: at(0.025), high: at(0.975) };
};

/** Compares two systems on the same items. */
export const pairedBootstrap = (
  metric: Metric,
  first: readonly Float64Array[],
  second: readonly Float64Array[],
  seed = 12345,
  times = draws,
): Record<string, Paired> => {
  if (first.length !== second.length) throw new Error(`systems of ${first.length} and ${second.length} items cannot be paired`);
  const count = first.length;
  const [a, b] = [metric.score(sumOf(first), count), metric.score(sumOf(second), count)];
  const found = new Map(Object.keys(a).map((name) => [name, [] as number[]]));
  for (const [x, y] of samples([first, second], seed, times)) {
    const [left, right] = [metric.score(x!, count), metric.score(y!, count)];
    for (const [name, list] of found) list.push(right[name]! - left[name]!);
  }
  return Object.fromEntries(
    [...found].map(([name, differences]) => {
      const difference = b[name]! - a[name]!;
      const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
      const far = differences.filter((value) => Math.abs(value - mean) >= Math.abs(difference)).length;
      return [name, { difference, p: (far + 1) / (differences.length + 1) }];
    }),
  );
};
