// The share of items whose text is one of the references, character for character once the white space around it is gone.

import { meanOf, type TextMetric } from "./metric.ts";

export const exactMatch: TextMetric = {
  name: "exact_match",
  says: "share of answers that are a reference, 0 to 1",
  of: "text",
  scores: ["exact_match"],
  parameters: [{ name: "lowercase", type: "bool", default: false }],
  make: ({ lowercase }) => ({
    statistics: (items) =>
      items.map(({ hypothesis, references }) => {
        const plain = (text: string): string => (lowercase ? text.trim().toLowerCase() : text.trim());
        return Float64Array.of(references.some((reference) => plain(reference) === plain(hypothesis)) ? 1 : 0);
      }),
    score: meanOf(["exact_match"]),
  }),
};
