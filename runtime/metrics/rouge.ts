// ROUGE-1, -2, -L and -Lsum (Lin 2004) as Google's rouge-score computes them: F1 of each item, the mean over the split, 0 to 1. With
// several references, each score is the best of them. `stem` is Porter's, on words of more than three letters.

import { type Metric, meanOf, type TextMetric } from "./metric.ts";
import { matches, ngrams, total } from "./ngrams.ts";
import { stem } from "./porter.ts";

const names = ["rouge1", "rouge2", "rougeL", "rougeLsum"] as const;

const words = (text: string, stemming: boolean): string[] =>
  text
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "")
    .map((word) => (stemming && word.length > 3 ? stem(word) : word));

const f1 = (hits: number, hypothesis: number, reference: number): number => {
  if (hits === 0 || hypothesis === 0 || reference === 0) return 0;
  const [precision, recall] = [hits / hypothesis, hits / reference];
  return (2 * precision * recall) / (precision + recall);
};

/** Lengths of longest common subsequences of all prefixes: [a + 1][b + 1]. */
const table = (a: readonly string[], b: readonly string[]): Uint16Array[] => {
  const rows = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = 1; i <= a.length; i++) {
    const [row, above] = [rows[i]!, rows[i - 1]!];
    for (let j = 1; j <= b.length; j++) row[j] = a[i - 1] === b[j - 1] ? above[j - 1]! + 1 : Math.max(above[j]!, row[j - 1]!);
  }
  return rows;
};

export const longestCommon = (a: readonly string[], b: readonly string[]): number => table(a, b)[a.length]![b.length]!;

/** Places in `a` of one longest common subsequence: of several, the one that rouge-score's way back finds. */
const commonPlaces = (a: readonly string[], b: readonly string[]): number[] => {
  const rows = table(a, b);
  const places: number[] = [];
  let [i, j] = [a.length, b.length];
  while (i > 0 && j > 0)
    if (a[i - 1] === b[j - 1]) {
      places.push(i - 1);
      i--;
      j--;
    } else if (rows[i]![j - 1]! > rows[i - 1]![j]!) j--;
    else i--;
  return places;
};

const grams = (n: number, hypothesis: readonly string[], reference: readonly string[]): number => {
  const [a, b] = [ngrams(hypothesis, n), ngrams(reference, n)];
  return f1(matches(a, b), total(a), total(b));
};

/** Summary level: each sentence (line) of the reference against all of the hypothesis, every word counted once. */
const summary = (hypothesis: readonly (readonly string[])[], reference: readonly (readonly string[])[]): number => {
  const count = (sentences: readonly (readonly string[])[]): Map<string, number> => ngrams(sentences.flat(), 1);
  const [left, right] = [count(hypothesis), count(reference)];
  let hits = 0;
  for (const sentence of reference) {
    const places = new Set(hypothesis.flatMap((other) => commonPlaces(sentence, other)));
    for (const place of [...places].sort((a, b) => a - b)) {
      const word = sentence[place]!;
      const [a, b] = [left.get(word) ?? 0, right.get(word) ?? 0];
      if (a === 0 || b === 0) continue;
      hits++;
      left.set(word, a - 1);
      right.set(word, b - 1);
    }
  }
  return f1(hits, hypothesis.flat().length, reference.flat().length);
};

export const rouge: TextMetric = {
  name: "rouge",
  says: "overlap of words, word pairs and subsequences with the best reference, F1 from 0 to 1 (rouge-score)",
  of: "text",
  scores: names,
  parameters: [{ name: "stem", type: "bool", default: false }],
  make: ({ stem: stemming }): Metric => ({
    statistics: (items) =>
      items.map(({ hypothesis, references }) => {
        const cut = (text: string): string[] => words(text, stemming === true);
        const lines = (text: string): string[][] => text.split("\n").filter(Boolean).map(cut);
        const own = cut(hypothesis);
        const vector = new Float64Array(names.length);
        for (const reference of references) {
          const other = cut(reference);
          const scores = [
            grams(1, own, other),
            grams(2, own, other),
            f1(longestCommon(own, other), own.length, other.length),
            summary(lines(hypothesis), lines(reference)),
          ];
          for (const [i, score] of scores.entries()) vector[i] = Math.max(vector[i]!, score);
        }
        return vector;
      }),
    score: meanOf(names),
  }),
};
