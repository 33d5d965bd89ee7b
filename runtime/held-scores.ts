// Bounds on scores against what was measured.

import { compares } from "../spec/compares.ts";
import type { EvaluateResult, HeldScore } from "../spec/result.ts";
import type { ScoreBound } from "../spec/score-bounds.ts";

/** What was not evaluated in this run is left out. Where a subject was evaluated several times, one that breaks the bound is told. */
export const holdScores = (bounds: readonly ScoreBound[], results: readonly EvaluateResult[]): readonly HeldScore[] =>
  bounds.flatMap((bound) => {
    const held = results
      .filter(({ subject, metrics }) => subject === bound.subject && metrics[bound.score] !== undefined)
      .map(({ metrics }) => ({
        ...bound,
        value: metrics[bound.score]!,
        holds: compares(metrics[bound.score]!, bound.compare, bound.bound),
      }));
    return held.find(({ holds }) => !holds) ?? held[0] ?? [];
  });
