// What is measured on the model's prediction of the reference's own tokens, without generating: each item's vector is
// [loss summed over its answer tokens, number of those tokens, tokens that were the likeliest].

import type { MetricSignature } from "../../spec/metric.ts";

export interface TokenMetric extends MetricSignature {
  readonly of: "tokens";
  /** From the sums over the split. */
  readonly value: (sum: { readonly loss: number; readonly tokens: number; readonly right: number }) => number;
}

export const loss: TokenMetric = {
  name: "loss",
  says: "mean cross-entropy over all answer tokens, in nats",
  of: "tokens",
  scores: ["loss"],
  parameters: [],
  falling: true,
  value: (sum) => sum.loss / sum.tokens,
};
