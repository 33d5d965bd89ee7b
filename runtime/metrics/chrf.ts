// chrF (Popovic 2015) as sacrebleu computes it: F-score (beta 2) of character 1- to 6-grams over the whole split, 0 to 100; with
// `word_order: 2` it is chrF++. Of several references the one with the best score of its own is counted.

import type { TextMetric } from "./metric.ts";
import { matches, ngrams, total } from "./ngrams.ts";

const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

const wordsOf = (text: string): string[] =>
  text
    .split(/\s+/u)
    .filter((word) => word !== "")
    .flatMap((word) => {
      const letters = [...word];
      if (letters.length === 1) return [word];
      if (punctuation.includes(letters.at(-1)!)) return [letters.slice(0, -1).join(""), letters.at(-1)!];
      return punctuation.includes(letters[0]!) ? [letters[0]!, letters.slice(1).join("")] : [word];
    });

/** From [n-grams of the hypothesis, of the reference, matches] per order. */
export const fScore = (sum: ArrayLike<number>, beta: number): number => {
  let [precision, recall, used] = [0, 0, 0];
  for (let i = 0; i < sum.length; i += 3) {
    const [hypothesis, reference, found] = [sum[i]!, sum[i + 1]!, sum[i + 2]!];
    if (hypothesis === 0 || reference === 0) continue;
    precision += found / hypothesis;
    recall += found / reference;
    used++;
  }
  if (used === 0 || precision + recall === 0) return 0;
  return (100 * (1 + beta ** 2) * (precision / used) * (recall / used)) / ((beta ** 2 * precision) / used + recall / used);
};

export const chrf: TextMetric = {
  name: "chrf",
  says: "character n-gram F-score, 0 to 100; `word_order: 2` is chrF++ (sacrebleu)",
  of: "text",
  scores: ["chrf"],
  parameters: [
    { name: "order", type: "int", default: 6 },
    { name: "word_order", type: "int", default: 0 },
    { name: "beta", type: "int", default: 2 },
    { name: "lowercase", type: "bool", default: false },
  ],
  make: (settings) => {
    const [order, wordOrder, beta] = [Number(settings.order), Number(settings.word_order), Number(settings.beta)];
    const grams = (text: string): Map<string, number>[] => {
      const folded = settings.lowercase ? text.toLowerCase() : text;
      const characters = [...folded.replace(/\s+/gu, "")];
      const words = wordsOf(folded);
      return [
        ...Array.from({ length: order }, (_, i) => ngrams(characters, i + 1)),
        ...Array.from({ length: wordOrder }, (_, i) => ngrams(words, i + 1)),
      ];
    };
    return {
      statistics: (items) =>
        items.map(({ hypothesis, references }) => {
          const own = grams(hypothesis);
          let best: Float64Array | undefined;
          let score = -1;
          for (const reference of references) {
            const vector = new Float64Array(3 * own.length);
            for (const [n, counts] of grams(reference).entries()) {
              vector[3 * n] = counts.size === 0 ? 0 : total(own[n]!);
              vector[3 * n + 1] = total(counts);
              vector[3 * n + 2] = matches(own[n]!, counts);
            }
            const here = fScore(vector, beta);
            if (here > score) [best, score] = [vector, here];
          }
          return best!;
        }),
      score: (sum) => ({ chrf: fScore(sum, beta) }),
    };
  },
};
