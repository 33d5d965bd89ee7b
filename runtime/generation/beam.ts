// Beam search as transformers 5 runs it (`_beam_search`), one prompt at a time. Kept are `width` running hypotheses and the `width`
// best finished ones, scored by log-probability / length^length_penalty. Of the best continuations only the first `width` may finish,
// the rest stand by for those that did. A search ends when no running hypothesis can beat the worst finished one: by the length so
// far (early_stopping false), by the longest that may come ("never"), or at once when `width` have finished (true).

import type { Generation } from "../../spec/job.ts";
import { logProbabilities, process } from "./logits.ts";
import type { Search, SearchOptions } from "./search.ts";

interface Hypothesis {
  readonly ids: readonly number[];
  readonly score: number;
}

interface Candidate {
  readonly row: number;
  readonly id: number;
  readonly score: number;
}

export const beamSearch = (settings: Generation, { prompt, room, stops, ended }: SearchOptions): Search => {
  const width = settings.width ?? 4;
  const penalty = settings.length_penalty ?? 1;
  const early = settings.early_stopping ?? false;
  const spare = Math.max(2, 1 + stops.size) * width;
  const touched = settings.repetition_penalty !== undefined || settings.no_repeat_ngram_size !== undefined;
  let running: Hypothesis[] = [{ ids: [], score: 0 }];
  let finished: Hypothesis[] = [];

  return {
    answer: () => (finished[0] ?? running[0])?.ids ?? [],
    advance: (rows) => {
      const candidates = best(
        rows.map((logits, row) => {
          const scores = logProbabilities(logits);
          if (touched) process(scores, [...prompt, ...running[row]!.ids], settings);
          return scores;
        }),
        running.map(({ score }) => score),
        spare,
      );
      const length = running[0]!.ids.length + 1;
      const next: (Hypothesis & Candidate)[] = [];
      for (const [place, candidate] of candidates.entries()) {
        const before = running[candidate.row]!.ids;
        const isEnd = stops.has(candidate.id);
        const ids = isEnd ? before : [...before, candidate.id];
        if (isEnd || length >= room || ended(ids)) {
          if (place < width) finished.push({ ids, score: candidate.score / length ** penalty });
        } else if (next.length < width) next.push({ ...candidate, ids });
      }
      // Stable, so of equal scores the earlier stays, as in the original's merged list.
      finished = finished.sort((a, b) => b.score - a.score).slice(0, width);
      running = next;
      if (next.length === 0) return undefined;
      if (finished.length === width) {
        if (early === true) return undefined;
        const hoped = early === "never" && penalty > 0 ? room : length;
        if (next[0]!.score / hoped ** penalty <= finished.at(-1)!.score) return undefined;
      }
      return { from: next.map(({ row }) => row), ids: next.map(({ id }) => id) };
    },
  };
};

/** The `count` best of all rows' ids, best first; of equal ones the lower row, then the lower id. */
const best = (rows: readonly Float64Array[], scores: readonly number[], count: number): Candidate[] => {
  const kept: Candidate[] = [];
  for (const [row, values] of rows.entries()) {
    const base = scores[row]!;
    for (let id = 0; id < values.length; id++) {
      const score = base + values[id]!;
      if (kept.length === count && !(score > kept[count - 1]!.score)) continue;
      if (score === Number.NEGATIVE_INFINITY) continue;
      let at = kept.length;
      while (at > 0 && kept[at - 1]!.score < score) at--;
      kept.splice(at, 0, { row, id, score });
      if (kept.length > count) kept.pop();
    }
  }
  return kept;
};
