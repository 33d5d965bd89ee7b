// One amendment's bindings of a training's step -> nodes. Before the update: the number that `loss += …` adds, and the gradients that
// `NAME.grad = …` sets. After it: what parameters and states become (`s = …`), and what `everywhere(…)` takes from each target. They read
// parameters and not what the model computes: they run once a step. A `let` is its text at the place where it is named.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Node } from "../graph/graph.ts";
import { type Context, evaluate, reportThrough, toNode } from "../values/expressions.ts";
import { describe, type Scope, type TensorValue, unknown, type Value } from "../values/values.ts";
import type { AdapterParam, AdapterState, Amendment } from "./amend.ts";
import { type EverywhereTools, everywhere, textScope } from "./everywhere.ts";
import { misfit, widened } from "./first-values.ts";
import { type Moment, trainingBinding } from "./training-bindings.ts";

export interface RuleTools extends EverywhereTools {
  readonly moment: Moment;
  readonly tensorOf: (node: Node) => TensorValue;
  /** The gradient of a trained parameter: before the rules, or as the update took it. */
  readonly gradient: (param: AdapterParam) => TensorValue;
  readonly state: (state: AdapterState) => TensorValue;
}

/**
 * Results by name: "loss" and "grad NAME" before the update, "everywhere K" and "next NAME" after it. `scope` is what the method means at
 * this module.
 */
export const stepRules = (amendment: Amendment, scope: Scope, context: Context, tools: RuleTools): ReadonlyMap<string, Node> =>
  tools.moment === "before" ? beforeRules(amendment, scope, context, tools) : afterRules(amendment, scope, context, tools);

const beforeRules = (amendment: Amendment, scope: Scope, outer: Context, tools: RuleTools): ReadonlyMap<string, Node> => {
  const bound = new Map<string, Value>();
  const context: Context = {
    ...outer,
    gradientOf: (name) => {
      const param = amendment.params.get(name);
      return param?.trained ? (bound.get(name) ?? tools.gradient(param)) : undefined;
    },
  };
  const inner = (own: Context): Scope => rulesScope(amendment.members, scope, own, tools, new Map());
  const results = new Map<string, Node>();
  for (const member of amendment.members) {
    if (member.kind !== "bind" || trainingBinding(member, amendment.members) !== "loss") continue;
    const value = evaluate(member.value, inner(outer), outer);
    if (value.kind === "unknown") continue;
    const before = results.get("loss");
    if (value.kind === "tensor" && value.node.type.shape.length === 0)
      results.set("loss", before ? outer.stage!.graph.add("add", [before, value.node]) : value.node);
    else
      reportThrough(outer, member.value.at, (at, details) => diagnostics.loss_not_a_number(at, { found: describe(value) }, details), {
        help: "add up what is large where it should not be, like `weight * sum(b * b, axes: [0, 1])`",
      });
  }
  for (const member of amendment.members) {
    if (member.kind !== "bind" || trainingBinding(member, amendment.members) !== "grad") continue;
    const param = amendment.params.get(member.target[0]!.text);
    const value = param?.trained ? evaluate(member.value, inner(context), context) : unknown;
    if (!param || value.kind === "unknown") continue;
    const node = toNode(value, context);
    const wide = node && widened(outer.stage!.graph, node, param);
    if (!wide) misfit(member.value.at, param, "gradient", value, node, context);
    else {
      bound.set(param.local, tools.tensorOf(wide));
      results.set(`grad ${param.local}`, wide);
    }
  }
  return results;
};

const afterRules = (amendment: Amendment, scope: Scope, outer: Context, tools: RuleTools): ReadonlyMap<string, Node> => {
  const { graph } = outer.stage!;
  const results = new Map<string, Node>();
  /** What is assigned so far; what a line below reads. */
  const bound = new Map<string, Value>([...amendment.states].map(([name, state]) => [name, tools.state(state)]));
  const context: Context = {
    ...outer,
    gradientOf: (name) => {
      const param = amendment.params.get(name);
      return param?.trained ? tools.gradient(param) : undefined;
    },
    special: (name, call, own) =>
      name === "everywhere" ? everywhere(call, own, context, results, tools) : outer.special?.(name, call, own),
  };
  const inner = rulesScope(amendment.members, scope, context, tools, bound);
  for (const member of amendment.members) {
    if (member.kind !== "bind" || trainingBinding(member, amendment.members) !== "next") continue;
    const name = member.target[0]!.text;
    const [param, state] = [amendment.params.get(name), amendment.states.get(name)];
    const into = state ? { ...state, local: name, dtype: "f32" as const } : param?.trained ? param : undefined;
    const value = into ? evaluate(member.value, inner, context) : unknown;
    if (!into || value.kind === "unknown") continue;
    const node = toNode(value, context);
    const wide = node && widened(graph, node, into);
    if (!wide) misfit(member.value.at, into, "value after the update", value, node, context);
    else {
      bound.set(name, tools.tensorOf(wide));
      results.set(`next ${name}`, wide);
    }
  }
  return results;
};

/** The method's text, and what a step of training has beside it. */
const rulesScope = (
  members: readonly tree.Member[],
  scope: Scope,
  context: Context,
  { targets, given }: RuleTools,
  bound: ReadonlyMap<string, Value>,
): Scope =>
  textScope(members, scope, context, bound, { targets: () => targets, step: () => given("step", []), total: () => given("total", []) });
