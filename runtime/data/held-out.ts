// Rows of a split that another split holds out. In: all rows of the file that the split reads, in file order. Out: those of one part,
// in file order. Every row is in one part, and rows that are equal are in one and the same, so none is both trained on and evaluated.
//
// Which rows: each row has a number that follows from the seed and what is in it; the parts are cut from the rows in the order of these
// numbers. So the order of the file does not matter, and a few new rows move few old ones.

import type { Part } from "../../spec/job-data.ts";
import { stream } from "../draw.ts";
import type { Row } from "./row.ts";

export const partOf = (rows: readonly Row[], { seed, held, index }: Part): readonly Row[] => {
  const words = new Uint32Array(4);
  const keys = rows.map(({ values }) => JSON.stringify(values));
  const numbers = keys.map((key) => {
    stream(seed, key)(0, words);
    return words[0]! * 2 ** 21 + (words[1]! >>> 11);
  });
  // Equal rows side by side; different ones of one number (2⁻⁵³) by what is in them.
  const order = rows
    .map((_, i) => i)
    .sort((a, b) => numbers[a]! - numbers[b]! || (keys[a]! < keys[b]! ? -1 : keys[a]! > keys[b]! ? 1 : a - b));
  /** The end of the first `count` rows, and of the rows that are equal to the last of them. */
  const cut = (count: number): number => {
    let end = Math.min(count, rows.length);
    while (end > 0 && end < rows.length && keys[order[end]!] === keys[order[end - 1]!]) end++;
    return end;
  };
  const cuts = [0];
  for (const { rows: count, share = 0 } of held) cuts.push(cut(cuts.at(-1)! + (count ?? Math.max(1, Math.round(share * rows.length)))));
  cuts.push(rows.length);
  return order
    .slice(cuts[index]!, Math.max(cuts[index]!, cuts[index + 1]!))
    .sort((a, b) => a - b)
    .map((i) => rows[i]!);
};
