// `sweep` and `compare` blocks -> points: runs of the file with some values replaced. A point is a list of items like the file's own,
// so it is checked, planned and compiled by the phases that do it for the file; nothing after this one knows of points.

import type * as tree from "../../grammar/tree.ts";
import type { Context } from "../values/expressions.ts";
import { comparePoints } from "./compare-points.ts";
import type { Figures } from "./figures.ts";
import type { Resolved } from "./resolve.ts";
import { sweepPoints } from "./sweep-points.ts";

export interface Point {
  /** Names its folder, and it among its set. */
  readonly id: string;
  /** What is special about it, as it was written: key → value. A comparison's key is `method`. */
  readonly values: Readonly<Record<string, string>>;
  /** What is trained and evaluated: an adapter, or the base. */
  readonly subject: string;
  /** `input`s that the point sets itself. */
  readonly inputs: readonly string[];
  readonly items: readonly tree.Item[];
}

export interface PointSet {
  readonly kind: "sweep" | "compare";
  readonly name: string;
  /** The subject of a sweep, the data of a comparison. */
  readonly of: string;
  readonly points: readonly Point[];
  /** What others found for the same points. */
  readonly beside?: readonly Figures[];
}

export const expandPoints = (resolved: Resolved, context: Context): readonly PointSet[] => {
  const sets = new Map<string, PointSet>();
  for (const item of resolved.items) {
    const set =
      item.kind === "sweep"
        ? sweepPoints(item, resolved, context)
        : item.kind === "compare"
          ? comparePoints(item, resolved, context)
          : undefined;
    if (!set) continue;
    // Blocks of one name are one set: the points of all of them, each once.
    const key = `${set.kind} ${set.name}`;
    const known = sets.get(key);
    const more = set.points.filter(({ id }) => !known?.points.some((point) => point.id === id));
    sets.set(key, known ? { ...known, points: [...known.points, ...more] } : set);
  }
  return [...sets.values()];
};
