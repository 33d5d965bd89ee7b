// Shapes that a definition declares against what came out.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Node } from "../graph/graph.ts";
import { alike, isWhole } from "../ops/shape.ts";
import type { Dim } from "../values/dims.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { asDim, type Scope } from "../values/values.ts";

/** What a definition declares of a value: `..` stands for any leading axes, `int` before the shape for whole numbers. */
export interface Declared {
  readonly type?: tree.Name;
  readonly shape: readonly tree.Expr[];
  readonly at: tree.Span;
}

/** A value against what is declared of it; where they do not fit, reported at `at`, and false. */
export const checkShape = (
  node: Node,
  { type, shape, at: declaredAt }: Declared,
  scope: Scope,
  at: tree.Span,
  context: Context,
): boolean => {
  if (type && type.text !== "int") {
    reportThrough(context, type.at, (place, details) => diagnostics.bad_param_type(place, { type: type.text }, details), {
      help: "leave it out for numbers to compute with, or write `int` for ids and positions",
    });
    return false;
  }
  const leading = shape[0]?.kind === "ellipsis";
  const wanted = (leading ? shape.slice(1) : shape).map((expr) => asDim(evaluate(expr, scope, context)));
  const all = node.type.shape;
  const actual: readonly Dim[] = leading ? all.slice(Math.max(0, all.length - wanted.length)) : all;
  const whole = !type || isWhole(node.type);
  if (whole && actual.length === wanted.length && actual.every((dim, i) => wanted[i] === undefined || alike(wanted[i], dim))) return true;
  const print = `${type ? "int " : ""}[${(leading ? [".."] : []).concat(wanted.map((dim) => String(dim ?? "?"))).join(", ")}]`;
  reportThrough(
    context,
    at,
    (place, details) =>
      diagnostics.shapes_do_not_fit(
        place,
        { problem: `declared ${print}, found ${whole ? "" : `${node.type.dtype} `}[${all.join(", ")}]` },
        details,
      ),
    at === declaredAt ? {} : { notes: [{ message: "declared here", at: declaredAt }] },
  );
  return false;
};
