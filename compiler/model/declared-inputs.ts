// A module that is checked by itself -> inputs of the shapes its forward declares, so that what it computes can be unfolded without a
// model around it.

import type * as tree from "../../grammar/tree.ts";
import type { Dim, TensorType } from "../graph/graph.ts";
import { type Context, evaluate } from "../values/expressions.ts";
import { asDim, type Scope, scopeOf, unknown, type Value } from "../values/values.ts";
import type { Instance } from "./instantiate.ts";

/** A declared shape as a type, `..` as [b, t]. */
export const shapedType = (shape: readonly tree.Expr[], sizes: Scope, context: Context): TensorType => ({
  dtype: "f32",
  shape: shape.flatMap((expr): Dim[] => (expr.kind === "ellipsis" ? ["b", "t"] : [asDim(evaluate(expr, sizes, context)) ?? 1])),
});

/** A tensor per declared shape; what declares none stays unknown, and what depends on it unchecked. */
export const declaredInputs = (instance: Instance, input: (name: string, type: TensorType) => Value, context: Context): Value[] => {
  const forward = instance.definition.members.find((member) => member.kind === "forward");
  if (forward?.kind !== "forward") return [];
  const sizes = scopeOf(instance.sizes);
  return forward.inputs.map(({ name, type, shape }): Value => {
    if (!shape) return unknown;
    return input(name.text, { ...shapedType(shape, sizes, context), dtype: type ? "i32" : "f32" });
  });
};
