// Token accuracy: the share of answer tokens that the model held for the likeliest, given all that stands before them.

import type { TokenMetric } from "./tokens.ts";

export const tokenAccuracy: TokenMetric = {
  name: "token_accuracy",
  says: "share of answer tokens that were the likeliest, 0 to 1",
  of: "tokens",
  scores: ["token_accuracy"],
  parameters: [],
  value: (sum) => sum.right / sum.tokens,
};
