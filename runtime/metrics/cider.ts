// CIDEr (Vedantam et al. 2015) as the COCO caption scorer and the E2E challenge compute it: cosines of tf-idf vectors of 1- to 4-grams
// (clipped, with a Gaussian penalty on the difference in length, sigma 6), the mean over references and orders, times 10. Document
// frequencies are those of the split's own references, one document per item.

import { captionWords } from "./caption-words.ts";
import { meanOf, type TextMetric } from "./metric.ts";
import { ngramsUpTo, total } from "./ngrams.ts";

const order = 4;
const sigma = 6;

interface Vector {
  /** tf-idf by n-gram, per order. */
  readonly weights: readonly ReadonlyMap<string, number>[];
  readonly norms: readonly number[];
  /** Word pairs: what the scorer takes as length. */
  readonly length: number;
}

export const cider: TextMetric = {
  name: "cider",
  says: "tf-idf similarity to the references, 0 to 10 (COCO caption scorer)",
  of: "text",
  scores: ["cider"],
  parameters: [],
  make: () => ({
    statistics: (items) => {
      const references = items.map((item) => item.references.map((text) => ngramsUpTo(captionWords(text), order)));
      const documents = new Map<string, number>();
      for (const several of references) {
        const here = new Set(several.flatMap((counts) => counts.flatMap((grams) => [...grams.keys()])));
        for (const gram of here) documents.set(gram, (documents.get(gram) ?? 0) + 1);
      }
      const all = Math.log(items.length);
      const vector = (counts: readonly ReadonlyMap<string, number>[]): Vector => {
        const weights = counts.map(
          (grams) => new Map([...grams].map(([gram, count]) => [gram, count * (all - Math.log(Math.max(1, documents.get(gram) ?? 0)))])),
        );
        const norms = weights.map((values) => Math.sqrt([...values.values()].reduce((sum, value) => sum + value * value, 0)));
        return { weights, norms, length: total(counts[1]!) };
      };
      return items.map(({ hypothesis }, i) => {
        const own = vector(ngramsUpTo(captionWords(hypothesis), order));
        const scores = references[i]!.map((counts) => similarity(own, vector(counts)));
        return Float64Array.of((10 * scores.reduce((a, b) => a + b, 0)) / scores.length);
      });
    },
    score: meanOf(["cider"]),
  }),
};

const similarity = (a: Vector, b: Vector): number => {
  const penalty = Math.exp(-((a.length - b.length) ** 2) / (2 * sigma ** 2));
  let sum = 0;
  for (let n = 0; n < order; n++) {
    let product = 0;
    for (const [gram, weight] of a.weights[n]!) {
      const other = b.weights[n]!.get(gram);
      if (other !== undefined) product += Math.min(weight, other) * other;
    }
    const norms = a.norms[n]! * b.norms[n]!;
    sum += (norms === 0 ? product : product / norms) * penalty;
  }
  return sum / order;
};
