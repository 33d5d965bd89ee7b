// Every metric. To add one: its file, and one line here; the language, the reports and the tests take it from this list.

import { bleu } from "./bleu.ts";
import { chrf } from "./chrf.ts";
import { cider } from "./cider.ts";
import { classification } from "./classification.ts";
import { exactMatch } from "./exact_match.ts";
import { meteor } from "./meteor.ts";
import type { TextMetric } from "./metric.ts";
import { nist } from "./nist.ts";
import { perplexity } from "./perplexity.ts";
import { rouge } from "./rouge.ts";
import { rougeL } from "./rouge_l.ts";
import { tokenAccuracy } from "./token_accuracy.ts";
import { loss, type TokenMetric } from "./tokens.ts";

export const metrics: readonly (TextMetric | TokenMetric)[] = [
  loss,
  perplexity,
  tokenAccuracy,
  rouge,
  rougeL,
  bleu,
  nist,
  meteor,
  cider,
  chrf,
  exactMatch,
  classification,
];
