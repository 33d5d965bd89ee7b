// METEOR 1.5 (Denkowski and Lavie 2014), exact + stem: its English weights and two of its four kinds of match, the same word and the same
// stem. The other two need WordNet and a table of paraphrases that are no part of this tool, so scores are lower than those of the Java
// program (by less than 0.016 on two systems on E2E, a test holds); reports say so. Words are weighed by whether they carry content.
// Counts add up over the split before the formula, as there.

import { captionWords } from "./caption-words.ts";
import { functionWords } from "./function-words.ts";
import { align } from "./meteor-align.ts";
import type { TextMetric } from "./metric.ts";

export interface MeteorWeights {
  readonly alpha: number;
  readonly beta: number;
  readonly gamma: number;
  readonly delta: number;
  /** Of each kind of match, in order. */
  readonly stages: readonly number[];
}

export const english: MeteorWeights = { alpha: 0.85, beta: 0.2, gamma: 0.6, delta: 0.75, stages: [1, 0.6, 0.8, 0.6] };

/**
 * Counts as METEOR prints them: words of hypothesis and reference, function words of each, then per kind of match content words of
 * each and function words of each, then chunks.
 */
export const meteorOf = (counts: ArrayLike<number>, weights: MeteorWeights): number => {
  const { alpha, beta, gamma, delta, stages } = weights;
  const [words, referenceWords, functions, referenceFunctions] = [counts[0]!, counts[1]!, counts[2]!, counts[3]!];
  const chunks = counts[counts.length - 1]!;
  let [found, referenceFound, matched, referenceMatched] = [0, 0, 0, 0];
  for (let stage = 0; 4 + 4 * stage + 4 < counts.length; stage++) {
    const [content, referenceContent, small, referenceSmall] = [0, 1, 2, 3].map((k) => counts[4 + 4 * stage + k]!) as [
      number,
      number,
      number,
      number,
    ];
    found += stages[stage]! * (delta * content + (1 - delta) * small);
    referenceFound += stages[stage]! * (delta * referenceContent + (1 - delta) * referenceSmall);
    matched += content + small;
    referenceMatched += referenceContent + referenceSmall;
  }
  const precision = found / (delta * (words - functions) + (1 - delta) * functions);
  const recall = referenceFound / (delta * (referenceWords - referenceFunctions) + (1 - delta) * referenceFunctions);
  if (!(precision > 0) || !(recall > 0)) return 0;
  const mean = 1 / ((1 - alpha) / precision + alpha / recall);
  // A hypothesis that is the reference is one chunk, and nothing is broken in it.
  const whole = chunks === 1 && matched === words && referenceMatched === referenceWords;
  const fragments = whole ? 0 : chunks / Math.floor((matched + referenceMatched) / 2);
  return mean * (1 - gamma * fragments ** beta);
};

/** The counts of one pair; two kinds of match. */
export const meteorCounts = (hypothesis: readonly string[], reference: readonly string[]): Float64Array => {
  const counts = new Float64Array(13);
  const small = (words: readonly string[]): number => words.filter((word) => functionWords.has(word)).length;
  counts.set([hypothesis.length, reference.length, small(hypothesis), small(reference)]);
  const { matches, chunks } = align(hypothesis, reference);
  for (const match of matches) {
    const at = 4 + 4 * match.stage;
    counts[at + (functionWords.has(hypothesis[match.hypothesis]!) ? 2 : 0)]! += 1;
    counts[at + 1 + (functionWords.has(reference[match.reference]!) ? 2 : 0)]! += 1;
  }
  counts[12] = chunks;
  return counts;
};

export const meteor: TextMetric = {
  name: "meteor",
  says: "aligned words and stems, weighed for order, 0 to 1 (METEOR 1.5 without synonyms and paraphrases)",
  of: "text",
  scores: ["meteor"],
  parameters: [],
  make: () => ({
    statistics: (items) =>
      items.map(({ hypothesis, references }) => {
        const own = captionWords(hypothesis);
        let best: Float64Array | undefined;
        let score = -1;
        for (const reference of references) {
          const counts = meteorCounts(own, captionWords(reference));
          const here = meteorOf(counts, english);
          if (here > score) [best, score] = [counts, here];
        }
        return best!;
      }),
    score: (sum) => ({ meteor: meteorOf(sum, english) }),
  }),
};
