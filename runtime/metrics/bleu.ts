// BLEU (Papineni et al. 2002) over the whole split, 0 to 100, as sacrebleu 2.x counts it: matches clipped by the reference that has
// the n-gram most often, the reference length closest to the hypothesis (the shorter of two as close), exponential smoothing of orders
// without a match. `tokenize: mteval` gives what mteval-v13a.pl prints, times 100.

import type { MetricSettings, TextMetric } from "./metric.ts";
import { matches, mostOf, ngramsUpTo, total } from "./ngrams.ts";
import { tokenizer, tokenizers } from "./tokenize.ts";

/** [matches 1 … n, n-grams 1 … n, hypothesis length, reference length] */
const layout = (order: number) => ({ matches: 0, totals: order, hypothesis: 2 * order, reference: 2 * order + 1, size: 2 * order + 2 });

export const smoothings = ["exp", "floor", "add-k", "none"] as const;

export interface BleuOptions {
  readonly order: number;
  readonly smooth: string;
  /** Of `floor` (0.1) and `add-k` (1). */
  readonly smoothValue?: number;
  /** Orders longer than the hypothesis are left out: for single sentences. */
  readonly effectiveOrder?: boolean;
}

/** BLEU of a sum of statistics. */
export const bleuOf = (sum: ArrayLike<number>, options: BleuOptions): number => {
  const { order, smooth, effectiveOrder } = options;
  const at = layout(order);
  const [length, reference] = [sum[at.hypothesis]!, sum[at.reference]!];
  if (length === 0) return 0;
  let logs = 0;
  let used = 0;
  let halving = 1;
  let any = false;
  for (let n = 0; n < order; n++) {
    let [found, of] = [sum[at.matches + n]!, sum[at.totals + n]!];
    any ||= found > 0;
    if (smooth === "add-k" && n > 0) {
      found += options.smoothValue ?? 1;
      of += options.smoothValue ?? 1;
    }
    if (of === 0) break;
    if (effectiveOrder) used = n + 1;
    if (found === 0 && smooth === "exp") {
      halving *= 2;
      found = 1 / halving;
    } else if (found === 0 && smooth === "floor") found = options.smoothValue ?? 0.1;
    logs += found === 0 ? Number.NEGATIVE_INFINITY : Math.log(found / of);
    if (!effectiveOrder) used++;
  }
  // A split without a single match is 0, whatever the smoothing; so is one without any n-gram of an order that counts.
  if (!any || (!effectiveOrder && used < order)) return 0;
  const brevity = length < reference ? Math.exp(1 - reference / length) : 1;
  return 100 * brevity * Math.exp(logs / used);
};

/** The length among several that is closest, the shorter of two as close. */
export const closest = (length: number, several: readonly number[]): number =>
  several.reduce((best, other) => {
    const [a, b] = [Math.abs(other - length), Math.abs(best - length)];
    return a < b || (a === b && other < best) ? other : best;
  });

export const bleu: TextMetric = {
  name: "bleu",
  says: "n-gram precision against the references, 0 to 100 (sacrebleu)",
  of: "text",
  scores: ["bleu"],
  parameters: [
    { name: "tokenize", type: { oneOf: tokenizers }, default: "13a" },
    { name: "lowercase", type: "bool", default: false },
    { name: "order", type: "int", default: 4 },
    { name: "smooth", type: { oneOf: smoothings }, default: "exp" },
  ],
  make: (settings) => {
    const options = { order: Number(settings.order), smooth: String(settings.smooth) };
    return {
      statistics: (items) => {
        const cut = cutter(settings);
        const at = layout(options.order);
        return items.map(({ hypothesis, references }) => {
          const vector = new Float64Array(at.size);
          const own = cut(hypothesis);
          const grams = ngramsUpTo(own, options.order);
          const cuts = references.map(cut);
          const several = cuts.map((words) => ngramsUpTo(words, options.order));
          for (let n = 0; n < options.order; n++) {
            vector[at.matches + n] = matches(grams[n]!, mostOf(several.map((counts) => counts[n]!)));
            vector[at.totals + n] = total(grams[n]!);
          }
          vector[at.hypothesis] = own.length;
          vector[at.reference] = closest(
            own.length,
            cuts.map((words) => words.length),
          );
          return vector;
        });
      },
      score: (sum) => ({ bleu: bleuOf(sum, options) }),
    };
  },
};

const cutter = (settings: MetricSettings): ((text: string) => string[]) => {
  const cut = tokenizer(String(settings.tokenize));
  return settings.lowercase ? (text) => cut(text.toLowerCase()) : cut;
};
