// An amendment's computed first values: each `param … = expression` evaluated in the method's scope, in order, so that a later one may
// read an earlier one. What comes out has the declared shape and dtype, or is reported.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Graph, Node } from "../graph/graph.ts";
import { type Context, evaluate, reportThrough, toNode } from "../values/expressions.ts";
import { describe, type Scope, type TensorValue, type Value } from "../values/values.ts";
import type { AdapterParam, Amendment } from "./amend.ts";

/** Whether a parameter's value is computed at that time: before training, or of what training left. */
export const computedAt = (when: "init" | "kept", { source }: AdapterParam): boolean => when in source;

/** Fills `values` by the parameters' local names; `scope` reads them from there. */
export const firstValues = (
  amendment: Amendment,
  when: "init" | "kept",
  scope: Scope,
  context: Context,
  values: Map<string, TensorValue>,
  tensorOf: (node: Node) => TensorValue,
): void => {
  const { graph } = context.stage!;
  for (const member of amendment.members) {
    if (member.kind !== "param" || !member.value) continue;
    const computed = member.names.flatMap(({ text }) => {
      const param = amendment.params.get(text);
      return param && computedAt(when, param) ? [param] : [];
    });
    if (computed.length === 0) continue;
    const value = evaluate(member.value, scope, context);
    if (value.kind === "unknown") continue;
    for (const param of computed) {
      const node = toNode(value, context);
      const wide = node && widened(graph, node, param);
      if (wide) values.set(param.local, tensorOf(wide));
      else misfit(member.value.at, param, "first value", value, node, context);
    }
  }
};

/** A value in its parameter's shape: equal, or one number for all. */
export const widened = (
  graph: Graph,
  node: Node,
  { shape: whole, dtype, stack }: Pick<AdapterParam, "shape" | "dtype" | "stack">,
): Node | undefined => {
  const shape = stack === undefined ? whole : whole.slice(1);
  if (node.type.dtype !== dtype) return undefined;
  if (node.type.shape.join() === shape.join()) return node;
  return node.type.shape.length === 0 ? graph.add("broadcast", [node], { shape }) : undefined;
};

/** Reports a value that has not its parameter's shape or dtype; `what` of the parameter it would be. */
export const misfit = (
  at: Parameters<typeof reportThrough>[1],
  param: Pick<AdapterParam, "local" | "shape" | "dtype">,
  what: string,
  value: Value,
  node: Node | undefined,
  context: Context,
): void => {
  const found = node ? `${node.type.dtype}[${node.type.shape.join(", ")}]` : describe(value);
  const problem = `${param.local} is declared ${param.dtype}[${param.shape.join(", ")}], its ${what} is ${found}`;
  reportThrough(context, at, (place, details) => diagnostics.shapes_do_not_fit(place, { problem }, details));
};
