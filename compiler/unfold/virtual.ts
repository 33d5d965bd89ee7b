// Virtual tokens: what a method puts in front of a sequence, and by how much it moves the positions of what is there. The batch
// holds a slot for each virtual token, so both must be known before anything runs.

import type { Node } from "../graph/graph.ts";

/** What a sequence holds beyond its real tokens. */
export interface Extent {
  /** Slots in front of each row, for virtual tokens. */
  readonly virtual: number;
  /** How far positions are moved beyond the slots. */
  readonly ahead: number;
}

/** By how much positions are moved: sums with whole numbers, and nothing else, move all of them alike. */
export const shiftOf = (node: Node): number | undefined => {
  if (node.op === "input") return 0;
  if (node.op !== "add" && node.op !== "sub") return undefined;
  const [a, b] = node.inputs as [Node, Node];
  const [left, right] = [a, b].map((side) => (side.op === "constant" ? Number(side.attrs.value) : shiftOf(side)));
  if (left === undefined || right === undefined || (a.op !== "constant" && b.op !== "constant")) return undefined;
  return node.op === "add" ? left + right : b.op === "constant" ? left - right : undefined;
};
