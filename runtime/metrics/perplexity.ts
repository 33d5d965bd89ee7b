// Perplexity: the exponential of the loss.

import type { TokenMetric } from "./tokens.ts";

export const perplexity: TokenMetric = {
  name: "perplexity",
  says: "exponential of the loss",
  of: "tokens",
  scores: ["perplexity"],
  parameters: [],
  falling: true,
  value: (sum) => Math.exp(sum.loss / sum.tokens),
};
