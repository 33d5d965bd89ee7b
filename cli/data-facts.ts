// A surveyed split -> the numbers and rows that `peft data` shows.

import { hiddenIn } from "../runtime/data/hidden.ts";
import type { Tokenizer } from "../runtime/tokenizer.ts";
import type { Surveyed } from "./survey.ts";

export interface SplitFacts {
  /** `orders.train`. */
  readonly name: string;
  readonly path: string;
  /** Blocks that read it at this length. */
  readonly blocks: readonly string[];
  readonly sequence_len: number;
  readonly rows: number;
  readonly tokens: number;
  /** Tokens that have a loss. */
  readonly labels: number;
  readonly truncated: number;
  /** Whether those are left out, and not cut. */
  readonly dropped: boolean;
  readonly emptyAnswers: number;
  /** Tokens per row, after cutting. */
  readonly lengths: { readonly least: number; readonly median: number; readonly most95: number; readonly most: number };
  readonly shown: readonly ShownRow[];
}

export interface ShownRow {
  /** Its number in the file. */
  readonly row: number;
  readonly tokens: number;
  /** The row's text in runs of tokens that have a loss and runs that have none. */
  readonly parts: readonly { readonly text: string; readonly trained: boolean }[];
  readonly ids: readonly number[];
}

export const dataFacts = (
  { blocks, data, split, limit, overlong, examples, report }: Surveyed,
  tokenizer: Tokenizer,
  rows: number,
): SplitFacts => {
  const { starts, count } = examples;
  const hidden = hiddenIn(examples, 0, 0);
  const lengths = Array.from({ length: count }, (_, i) => starts[i + 1]! - starts[i]!).sort((a, b) => a - b);
  const quantile = (q: number): number => lengths[Math.floor(q * (lengths.length - 1))] ?? 0;
  return {
    name: `${data.name}.${split.name}`,
    path: report.path,
    blocks,
    sequence_len: limit,
    rows: report.rows,
    tokens: report.tokens,
    labels: report.labels,
    truncated: report.truncated,
    dropped: overlong === "drop",
    emptyAnswers: report.emptyAnswers,
    lengths: { least: quantile(0), median: quantile(0.5), most95: quantile(0.95), most: quantile(1) },
    shown: Array.from({ length: Math.min(rows, count) }, (_, i) => shownRow(hidden, i, tokenizer)),
  };
};

const shownRow = ({ ids, labels, starts, rows }: Surveyed["examples"], i: number, tokenizer: Tokenizer): ShownRow => {
  const [start, end] = [starts[i]!, starts[i + 1]!];
  const parts: { text: string; trained: boolean }[] = [];
  for (let from = start; from < end; ) {
    let to = from + 1;
    while (to < end && labels[to] === labels[from]) to++;
    // What a run reads as where it stands: some tokenizers drop a space at the front of a text.
    const before = tokenizer.decode([...ids.subarray(start, from)], { special: true });
    const whole = tokenizer.decode([...ids.subarray(start, to)], { special: true });
    parts.push({ text: whole.startsWith(before) ? whole.slice(before.length) : whole, trained: labels[from] === 1 });
    from = to;
  }
  return { row: rows[i]!, tokens: end - start, parts, ids: [...ids.subarray(start, end)] };
};
