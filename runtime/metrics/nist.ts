// NIST (Doddington 2002) as mteval-v13a.pl counts it: n-grams weigh what they tell beyond their first n − 1 words, in bits over all
// references; a short output is scaled down, with half the score at two thirds of the length. The reference length is the Perl script's:
// all reference words of an item divided by its number of references. (The Python port in NLTK takes another mean.) The script's log on WMT15
// is met to its four digits, eight systems on E2E within 1e-4: of their references only a copy with other spaces is left (decision 0081).

import type { TextMetric } from "./metric.ts";
import { mostOf, ngramsUpTo, prefixOf, total } from "./ngrams.ts";
import { tokenizer } from "./tokenize.ts";

const beta = -Math.log(2) / Math.log(1.5) ** 2;

export const nist: TextMetric = {
  name: "nist",
  says: "n-gram matches weighed by their information, in bits (mteval-v13a)",
  of: "text",
  scores: ["nist"],
  parameters: [{ name: "order", type: "int", default: 5 }],
  make: (settings) => {
    const order = Number(settings.order);
    const cut = tokenizer("mteval");
    return {
      // [information of matches 1 … n, n-grams 1 … n, hypothesis length, reference length]
      statistics: (items) => {
        const cuts = items.map(({ references }) => references.map(cut));
        const grams = cuts.map((several) => several.map((words) => ngramsUpTo(words, order)));
        const seen = new Map<string, number>();
        let all = 0;
        for (const several of cuts) for (const words of several) all += words.length;
        for (const several of grams)
          for (const reference of several)
            for (const counts of reference) for (const [gram, count] of counts) seen.set(gram, (seen.get(gram) ?? 0) + count);
        const information = (gram: string): number => {
          const prefix = prefixOf(gram);
          return Math.log2((prefix === "" ? all : seen.get(prefix)!) / seen.get(gram)!);
        };
        return items.map(({ hypothesis }, i) => {
          const vector = new Float64Array(2 * order + 2);
          const own = cut(hypothesis);
          for (const [n, counts] of ngramsUpTo(own, order).entries()) {
            const most = mostOf(grams[i]!.map((reference) => reference[n]!));
            for (const [gram, count] of counts) {
              const matched = Math.min(count, most.get(gram) ?? 0);
              if (matched > 0) vector[n]! += matched * information(gram);
            }
            vector[order + n] = total(counts);
          }
          vector[2 * order] = own.length;
          vector[2 * order + 1] = cuts[i]!.reduce((sum, words) => sum + words.length, 0) / cuts[i]!.length;
          return vector;
        });
      },
      score: (sum) => {
        let score = 0;
        for (let n = 0; n < order; n++) if (sum[order + n]! > 0) score += sum[n]! / sum[order + n]!;
        const ratio = sum[2 * order]! / sum[2 * order + 1]!;
        const brevity = ratio >= 1 ? 1 : ratio > 0 ? Math.exp(beta * Math.log(ratio) ** 2) : 0;
        return { nist: score * brevity };
      },
    };
  },
};
