// Accuracy, macro F1 and Matthews' correlation of answers that are labels: the text without the white space around it is the label, the
// first reference the true one. As scikit-learn: F1 is the mean over every label that occurs on either side, a label that is never
// predicted or never true has F1 0; MCC is Gorodkin's for several labels, 0 where one side holds a single label.

import type { Metric, TextMetric } from "./metric.ts";

/** [correct, (predicted, true, both) per label]: what confusion needs and no more. */
const make = (): Metric => ({
  statistics: (items) => {
    const pairs = items.map(({ hypothesis, references }) => [hypothesis.trim(), references[0]!.trim()] as const);
    const labels = new Map([...new Set(pairs.flat())].sort().map((label, i) => [label, i]));
    return pairs.map(([predicted, truth]) => {
      const vector = new Float64Array(1 + 3 * labels.size);
      const [p, t] = [1 + 3 * labels.get(predicted)!, 1 + 3 * labels.get(truth)!];
      vector[p]! += 1;
      vector[t + 1]! += 1;
      if (p === t) {
        vector[0] = 1;
        vector[p + 2] = 1;
      }
      return vector;
    });
  },
  score: (sum, count) => {
    let [f1, labels, squares, predictedSquares, trueSquares] = [0, 0, 0, 0, 0];
    for (let i = 1; i < sum.length; i += 3) {
      const [predicted, truth, both] = [sum[i]!, sum[i + 1]!, sum[i + 2]!];
      if (predicted + truth > 0) labels++;
      if (both > 0) f1 += (2 * both) / (predicted + truth);
      squares += predicted * truth;
      predictedSquares += predicted * predicted;
      trueSquares += truth * truth;
    }
    const spread = Math.sqrt((count ** 2 - predictedSquares) * (count ** 2 - trueSquares));
    return { accuracy: sum[0]! / count, f1: f1 / labels, mcc: spread === 0 ? 0 : (sum[0]! * count - squares) / spread };
  },
});

export const classification: TextMetric = {
  name: "classification",
  says: "accuracy, macro F1 and Matthews' correlation of answers that are labels",
  of: "text",
  scores: ["accuracy", "f1", "mcc"],
  parameters: [],
  make,
};
