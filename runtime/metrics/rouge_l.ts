// ROUGE-L as the COCO caption scorers compute it, which is the one in the E2E challenge's tables: the best precision and the best
// recall over all references, each by itself, weighed with beta 1.2; the mean over the split, 0 to 1.

import { captionWords } from "./caption-words.ts";
import { meanOf, type TextMetric } from "./metric.ts";
import { longestCommon } from "./rouge.ts";

const beta = 1.2;

export const rougeL: TextMetric = {
  name: "rouge_l",
  says: "longest common subsequence over all references, F(1.2) from 0 to 1 (COCO caption scorer; the E2E tables)",
  of: "text",
  scores: ["rouge_l"],
  parameters: [],
  make: () => ({
    statistics: (items) =>
      items.map(({ hypothesis, references }) => {
        const own = captionWords(hypothesis);
        let [precision, recall] = [0, 0];
        for (const reference of references) {
          const other = captionWords(reference);
          const common = longestCommon(own, other);
          if (own.length) precision = Math.max(precision, common / own.length);
          if (other.length) recall = Math.max(recall, common / other.length);
        }
        const both = recall + beta ** 2 * precision;
        return Float64Array.of(both === 0 ? 0 : ((1 + beta ** 2) * precision * recall) / both);
      }),
    score: meanOf(["rouge_l"]),
  }),
};
