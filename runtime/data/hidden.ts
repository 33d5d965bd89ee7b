// Rows some of whose tokens are hidden -> examples: the whole text with what the tokenizer puts around it; and for each epoch, which tokens
// are hidden in it. A token is hidden with a probability; of those that are, 80 % become the mask token, 10 % another token of the
// vocabulary, and 10 % stay (Devlin et al. 2019), as in transformers' DataCollatorForLanguageModeling. Every row has one at least: where
// none was drawn, the token that was nearest to it. A function of (seed, epoch, place in the data) alone.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Data } from "../../spec/job-data.ts";
import { DiagnosticError } from "../diagnostic-error.ts";
import { stream } from "../draw.ts";
import type { Tokenizer } from "../tokenizer.ts";
import type { EncodeOptions, Examples, ExamplesReport } from "./examples.ts";
import { nothingFits, tellLonger } from "./overlong.ts";
import type { Row } from "./row.ts";
import { fillTemplate, parseTemplate } from "./template.ts";

/** How tokens are hidden. */
export interface Hiding {
  /** The probability of each, from 0 to 1. */
  readonly share: number;
  /** The token that stands for a hidden one. */
  readonly mask: number;
  /** Another token is drawn from as many. */
  readonly words: number;
  /** Tokens that are never hidden: the tokenizer's special ones. */
  readonly never: ReadonlySet<number>;
}

/** Throws a DiagnosticError when the tokenizer has no token that hides another. */
export const encodeHidden = (
  rows: readonly Row[],
  data: Pick<Data, "answer"> & { readonly masked: number },
  tokenizer: Tokenizer,
  { limit, vocabulary, overlong }: EncodeOptions,
  path: string,
): { examples: Examples; report: ExamplesReport } => {
  const template = parseTemplate(data.answer);
  const around = tokenizer.encode("", { special: true });
  const before = tokenizer.prefix.length;
  const mask = tokenizer.named.mask_token === undefined ? undefined : tokenizer.idOf(tokenizer.named.mask_token);
  if (mask === undefined) throw new DiagnosticError([diagnostics.tokenizer_hides_nothing(undefined, {})]);
  const never = new Set(tokenizer.specials.flatMap((token) => tokenizer.idOf(token) ?? []));
  const encoded: number[][] = [];
  const kept: Row[] = [];
  let truncated = 0;
  let longest = 0;
  let empty = 0;
  for (const row of rows) {
    const text = tokenizer.encode(fillTemplate(template, row.values));
    longest = Math.max(longest, text.length + around.length);
    const room = text.slice(0, Math.max(0, limit - around.length));
    if (!room.some((id) => !never.has(id))) {
      empty++;
      continue;
    }
    if (text.length + around.length > limit) {
      truncated++;
      if (overlong === "drop") continue;
    }
    kept.push(row);
    encoded.push([...around.slice(0, before), ...room, ...around.slice(before)]);
  }
  if (empty === rows.length)
    throw new DiagnosticError([diagnostics.data_no_labels(undefined, { path, why: "no row has a token to hide" })]);
  if (kept.length === 0) throw nothingFits(path, limit);
  const largest = encoded.reduce((most, ids) => ids.reduce((a, b) => Math.max(a, b), most), mask);
  if (largest >= vocabulary)
    throw new DiagnosticError([
      diagnostics.token_out_of_range(undefined, { id: largest, token: tokenizer.tokenOf(largest) ?? "", size: vocabulary }),
    ]);
  const starts = new Int32Array(kept.length + 1);
  for (const [i, ids] of encoded.entries()) starts[i + 1] = starts[i]! + ids.length;
  const ids = Int32Array.from(encoded.flat());
  const examples: Examples = {
    count: kept.length,
    ids,
    labels: new Uint8Array(ids.length),
    starts,
    rows: Int32Array.from(kept, (row) => row.number),
    hiding: { share: data.masked, mask, words: Math.min(tokenizer.size, vocabulary), never },
  };
  const labels = hiddenIn(examples, 0, 0).labels.reduce((sum, label) => sum + label, 0);
  const warnings = [
    ...tellLonger({ count: truncated, total: rows.length, path, limit, longest }, overlong),
    ...(empty > 0 ? [diagnostics.data_answers_empty(undefined, { count: empty, total: rows.length, path, what: "no token to hide" })] : []),
  ];
  return {
    examples,
    report: { path, rows: kept.length, tokens: ids.length, labels, truncated, emptyAnswers: empty, longest, warnings },
  };
};

/**
 * The examples as an epoch sees them: `ids` with tokens hidden, `labels` 1 where one is, and `originals`. Other examples are as they are.
 */
export const hiddenIn = (examples: Examples, seed: number, epoch: number): Examples => {
  const { hiding, starts, count, ids: originals } = examples;
  if (!hiding) return examples;
  const { share, mask, words, never } = hiding;
  const block = stream(seed, `hidden tokens of epoch ${epoch}`);
  const drawn = new Uint32Array(4);
  const ids = originals.slice();
  const labels = new Uint8Array(ids.length);
  const hide = (at: number): void => {
    block(at, drawn);
    labels[at] = 1;
    const what = drawn[1]! / 2 ** 32;
    if (what < 0.8) ids[at] = mask;
    else if (what < 0.9) ids[at] = Math.floor((drawn[2]! / 2 ** 32) * words);
  };
  for (let i = 0; i < count; i++) {
    let nearest = -1;
    let least = 2;
    let any = false;
    for (let at = starts[i]!; at < starts[i + 1]!; at++) {
      if (never.has(originals[at]!)) continue;
      block(at, drawn);
      const chance = drawn[0]! / 2 ** 32;
      if (chance < least) [nearest, least] = [at, chance];
      if (chance >= share) continue;
      any = true;
      hide(at);
    }
    if (!any && nearest >= 0) hide(nearest);
  }
  return { ...examples, ids, labels, originals };
};
