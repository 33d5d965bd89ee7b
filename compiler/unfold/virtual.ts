// Virtual tokens: what a method puts in front of a sequence, and by how much it moves the positions of what is there. The batch
// holds a slot for each virtual token, so both must be known before anything runs.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Node } from "../graph/graph.ts";
import type { Dim } from "../values/dims.ts";
import { apply, type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { type Scope, type TensorValue, unknown, type Value } from "../values/values.ts";

/** What a sequence holds beyond its real tokens. */
export interface Extent {
  /** Slots in front of each row, for virtual tokens. */
  readonly virtual: number;
  /** How far positions are moved beyond the slots. */
  readonly ahead: number;
}

/** By how much positions are moved: sums with whole numbers, and nothing else, move all of them alike. */
const shiftOf = (node: Node): number | undefined => {
  if (node.op === "input") return 0;
  if (node.op !== "add" && node.op !== "sub") return undefined;
  const [a, b] = node.inputs as [Node, Node];
  const [left, right] = [a, b].map((side) => (side.op === "constant" ? Number(side.attrs.value) : shiftOf(side)));
  if (left === undefined || right === undefined || (a.op !== "constant" && b.op !== "constant")) return undefined;
  return node.op === "add" ? left + right : b.op === "constant" ? left - right : undefined;
};

/** By how much positions are moved: a number that is known, so that no table of them is read beyond its end. 0 after a report. */
export const knownShift = (moved: Value, at: tree.Span, context: Context): number => {
  if (moved.kind !== "tensor") return 0;
  const shift = shiftOf(moved.node);
  if (shift !== undefined && shift >= 0) return shift;
  reportThrough(context, at, (place, details) => diagnostics.positions_not_moved(place, details));
  return 0;
};

/** `prepend(x, rows)`: virtual tokens behind the `virtual` that are there, in front of the real ones; and how many more they are. */
export const prependRows = (
  call: tree.Call,
  scope: Scope,
  context: Context,
  use: (tensor: TensorValue) => Node,
  virtual: Dim,
  positions: () => Node,
): { readonly made: Value; readonly tokens: Dim } => {
  const [x, rows, more] = call.args.map((argument) => evaluate(argument.value, scope, context));
  if (x?.kind === "unknown" || rows?.kind === "unknown") return { made: unknown, tokens: 0 };
  if (x?.kind !== "tensor" || rows?.kind !== "tensor" || more) {
    const made = reportThrough(context, call.at, (at, details) => diagnostics.bad_prepend(at, details), {
      help: "write `prepend(base.embedded, rows)`: what the first layer reads, and rows [tokens, hidden] that stand in front of it",
    });
    return { made, tokens: 0 };
  }
  const made = apply("prepend", [use(x), use(rows), positions()], { from: virtual }, call.at, context);
  return { made, tokens: made.kind === "tensor" ? rows.node.type.shape[0]! : 0 };
};
