// Shapes that a definition declares against what came out.

import type * as tree from "../grammar/tree.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Dim } from "./dims.ts";
import { type Context, evaluate, reportThrough } from "./expressions.ts";
import type { Node } from "./graph.ts";
import { asDim, type Scope } from "./values.ts";

/** A declared shape against an actual one; `..` stands for any leading axes. */
export const checkShape = (node: Node, declared: readonly tree.Expr[], scope: Scope, at: tree.Span, context: Context): void => {
  const open = declared[0]?.kind === "ellipsis";
  const wanted = (open ? declared.slice(1) : declared).map((expr) => asDim(evaluate(expr, scope, context)));
  const actual: readonly Dim[] = open ? node.type.shape.slice(Math.max(0, node.type.shape.length - wanted.length)) : node.type.shape;
  if (actual.length === wanted.length && actual.every((dim, i) => wanted[i] === undefined || wanted[i] === dim)) return;
  const print = `[${open ? [".."].concat(wanted.map(String)).join(", ") : wanted.join(", ")}]`;
  reportThrough(context, at, (place, details) =>
    diagnostics.shapes_do_not_fit(place, { problem: `declared ${print}, found [${node.type.shape.join(", ")}]` }, details),
  );
};
