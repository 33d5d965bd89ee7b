// How sure a score is, by drawing items anew (Efron 1979; Koehn 2004), as sacrebleu's --confidence: the 95 % interval is the middle of the
// resampled scores. Draws follow from the seed alone.

import type { Metric } from "./metric.ts";
import { resamples } from "./paired.ts";

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** 95 % intervals of every score. */
export const intervals = (metric: Metric, vectors: readonly Float64Array[], seed = 12345, times = 1000): Record<string, Interval> => {
  const scores = new Map<string, number[]>();
  for (const draw of resamples(vectors.length, times, seed)) {
    const sum = new Float64Array(vectors[0]!.length);
    for (let k = 0; k < draw.length; k++) {
      const vector = vectors[draw[k]!]!;
      for (let i = 0; i < sum.length; i++) sum[i]! += vector[i]!;
    }
    for (const [name, score] of Object.entries(metric.score(sum, vectors.length))) {
      const list = scores.get(name);
      if (list) list.push(score);
      else scores.set(name, [score]);
    }
  }
  return Object.fromEntries([...scores].map(([name, list]) => [name, middle(list)]));
};

const middle = (scores: number[]): Interval => {
  scores.sort((a, b) => a - b);
  const at = (share: number): number => scores[Math.min(scores.length - 1, Math.max(0, Math.floor(share * scores.length)))]!;
  return { low: at(0.025), high: at(0.975) };
};
