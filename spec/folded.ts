// How the tensors of a stack of modules become one tensor of as many axes as each has, as other libraries store them. "stacked": [n, p, q] as
// [n·p, q], one after the other. "woven": as [p, q·n], side by side, the place in the stack running fastest.

import type { Fold } from "./job.ts";

/** The shape of a stack's tensor once folded. A fold of a stack of vectors, [n, p], has one axis. */
export const foldedShape = ([n, ...own]: readonly number[], fold: Fold): readonly number[] =>
  own.map((dim, axis) => (axis === (fold === "stacked" ? 0 : own.length - 1) ? dim * n! : dim));

/** A stack's numbers in the folded order, or back from it. */
export const refold = <T extends Float32Array | Int32Array>(values: T, shape: readonly number[], fold: Fold, back: boolean): T => {
  if (fold === "stacked") return values;
  const [n, each] = [shape[0]!, values.length / shape[0]!];
  const out = values.slice() as T;
  for (let place = 0; place < n; place++)
    for (let i = 0; i < each; i++) {
      const [apart, together] = [place * each + i, i * n + place];
      if (back) out[apart] = values[together]!;
      else out[together] = values[apart]!;
    }
  return out;
};
