// One planned batch -> shares of about equal work, for a device that computes several side by side.

import { labelsOf, type PlannedBatch } from "./batches.ts";
import type { Examples } from "./examples.ts";

interface Row {
  readonly examples: readonly number[];
  readonly length: number;
}

/**
 * The rows in at most `count` shares, each with a label. Rows of like length stand together, so a share of short rows has more of them and
 * less padding; cut where the largest padded share is smallest. A function of its arguments alone.
 */
export const shareOut = (examples: Examples, planned: PlannedBatch, count: number): readonly PlannedBatch[] => {
  const rows = rowsOf(examples, planned).sort((a, b) => a.length - b.length);
  let [low, high] = [1, rows.length * (rows.at(-1)?.length ?? 0)];
  while (low < high) {
    const most = Math.floor((low + high) / 2);
    if (cutAt(rows, most, count)) high = most;
    else low = most + 1;
  }
  return cutAt(rows, high, count)!
    .map((share) => toPlan(examples, planned, share))
    .filter(({ labels }) => labels > 0);
};

/** Shares of at most so many padded tokens, in order; undefined where that takes more than `count`. */
const cutAt = (rows: readonly Row[], most: number, count: number): readonly (readonly Row[])[] | undefined => {
  const shares: Row[][] = [];
  for (const row of rows) {
    const open = shares.at(-1);
    if (open && (open.length + 1) * row.length <= most) open.push(row);
    else if (row.length > most || shares.length === count) return undefined;
    else shares.push([row]);
  }
  return shares;
};

const rowsOf = ({ starts }: Examples, { examples, per }: PlannedBatch): Row[] => {
  const lengthOf = (i: number): number => starts[i + 1]! - starts[i]!;
  let end = 0;
  return Array.from(per ?? examples.map(() => 1), (taken) => {
    const own = Array.from(examples.subarray(end, end + taken));
    end += taken;
    return { examples: own, length: own.reduce((sum, i) => sum + lengthOf(i), 0) };
  });
};

const toPlan = (examples: Examples, { per }: PlannedBatch, share: readonly Row[]): PlannedBatch => {
  const chosen = Int32Array.from(share.flatMap((row) => row.examples));
  const rows = per && { per: Int32Array.from(share, (row) => row.examples.length) };
  return { examples: chosen, ...rows, labels: labelsOf(examples, chosen) };
};
