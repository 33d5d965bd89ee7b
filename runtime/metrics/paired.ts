// Whether one system's score is better than another's by more than chance, on the same items: paired bootstrap resampling (Koehn 2004) and
// approximate randomisation (Riezler and Maxwell 2005), each counted as sacrebleu counts it. p is the share of draws, the real one among
// them, that lie further apart than the systems do: of resamples after their mean is taken away, of shuffles as they are.
// The one trick is that a score is a function of a sum, so a draw costs additions and one score.

import { stream } from "../draw.ts";
import { type Metric, sumOf } from "./metric.ts";

export interface Paired {
  /** Of the second system over the first. */
  readonly difference: number;
  readonly p: number;
}

type Vectors = readonly Float64Array[];

/** Lists of as many items as there are, drawn with replacement. Follow from the seed alone. */
export function* resamples(count: number, times = 1000, seed = 12345): Generator<ArrayLike<number>> {
  const next = numbers(seed, "bootstrap");
  for (let time = 0; time < times; time++) yield Uint32Array.from({ length: count }, () => Math.floor((next() / 4294967296) * count));
}

/** For each item, whether the two systems change places. Follow from the seed alone. */
export function* shuffles(count: number, times = 10_000, seed = 12345): Generator<ArrayLike<number>> {
  const next = numbers(seed, "shuffles");
  for (let time = 0; time < times; time++) {
    let bits = 0;
    yield Uint8Array.from({ length: count }, (_, i) => {
      bits = i % 32 === 0 ? next() : bits >>> 1;
      return bits & 1;
    });
  }
}

const numbers = (seed: number, name: string): (() => number) => {
  const block = stream(seed, name);
  const words = new Uint32Array(4);
  let drawn = 0;
  return () => {
    if (drawn % 4 === 0) block(drawn / 4, words);
    return words[drawn++ % 4]!;
  };
};

/** By score. `draws` are lists of items. */
export const pairedBootstrap = (
  metric: Metric,
  first: Vectors,
  second: Vectors,
  draws: Iterable<ArrayLike<number>> = resamples(first.length),
): Readonly<Record<string, Paired>> =>
  counted(metric, first, second, draws, true, (draw) => {
    const [a, b] = [first, second].map((vectors) => {
      const sum = new Float64Array(vectors[0]!.length);
      for (let k = 0; k < draw.length; k++) addTo(sum, vectors[draw[k]!]!);
      return sum;
    });
    return [a!, b!];
  });

/** By score. `draws` say of each item whether the systems change places. */
export const approximateRandomisation = (
  metric: Metric,
  first: Vectors,
  second: Vectors,
  draws: Iterable<ArrayLike<number>> = shuffles(first.length),
): Readonly<Record<string, Paired>> => {
  const [a, b] = [sumOf(first), sumOf(second)];
  const apart = first.map((vector, i) => vector.map((value, k) => second[i]![k]! - value));
  return counted(metric, first, second, draws, false, (draw) => {
    const moved = new Float64Array(a.length);
    for (let i = 0; i < draw.length; i++) if (draw[i]) addTo(moved, apart[i]!);
    return [a.map((value, k) => value + moved[k]!), b.map((value, k) => value - moved[k]!)];
  });
};

const addTo = (sum: Float64Array, vector: Float64Array): void => {
  for (let i = 0; i < sum.length; i++) sum[i]! += vector[i]!;
};

const counted = (
  metric: Metric,
  first: Vectors,
  second: Vectors,
  draws: Iterable<ArrayLike<number>>,
  centred: boolean,
  sums: (draw: ArrayLike<number>) => readonly [Float64Array, Float64Array],
): Readonly<Record<string, Paired>> => {
  if (first.length !== second.length) throw new Error(`systems of ${first.length} and ${second.length} items cannot be paired`);
  const count = first.length;
  const [a, b] = [metric.score(sumOf(first), count), metric.score(sumOf(second), count)];
  const found = new Map(Object.keys(a).map((name) => [name, [] as number[]]));
  for (const draw of draws) {
    const [left, right] = sums(draw).map((sum) => metric.score(sum, count));
    for (const [name, list] of found) list.push(Math.abs(right![name]! - left![name]!));
  }
  return Object.fromEntries(
    [...found].map(([name, away]) => {
      const difference = b[name]! - a[name]!;
      const mean = centred ? away.reduce((sum, value) => sum + value, 0) / away.length : 0;
      const further = away.filter((value) => value - mean > Math.abs(difference)).length;
      // Nothing is further apart than a system is from itself; that is no sign that it differs.
      return [name, { difference, p: difference === 0 ? 1 : (further + 1) / (away.length + 1) }];
    }),
  );
};
