// One amendment's bindings of a training's step -> nodes: the number that `loss += …` adds, and the gradients that `NAME.grad = …` sets.
// They read parameters and not what the model computes: they run once a step, after the micro-batches. A `let` is its text at the
// place where it is named.

import type * as tree from "../grammar/tree.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { AdapterParam, Amendment } from "./amend.ts";
import { type Context, evaluate, reportThrough, toNode } from "./expressions.ts";
import { misfit, widened } from "./first-values.ts";
import type { Node } from "./graph.ts";
import { trainingBinding } from "./training-bindings.ts";
import { describe, type Scope, type TensorValue, unknown, type Value } from "./values.ts";

export interface RuleTools {
  /** How many modules the amendment's line covers. */
  readonly targets: Value;
  readonly tensorOf: (node: Node) => TensorValue;
  /** The gradient of a trained parameter, as it is before the rules. */
  readonly gradient: (param: AdapterParam) => TensorValue;
  /** A number of the step: `step` (from 0) or `total`. */
  readonly clock: (name: string) => TensorValue;
}

/** Results by name: "loss", and "grad NAME" of each bound gradient. `scope` is what the method means at this module. */
export const stepRules = (amendment: Amendment, scope: Scope, outer: Context, tools: RuleTools): ReadonlyMap<string, Node> => {
  const bound = new Map<string, Value>();
  const context: Context = {
    ...outer,
    gradientOf: (name) => {
      const param = amendment.params.get(name);
      return param?.trained ? (bound.get(name) ?? tools.gradient(param)) : undefined;
    },
  };
  const inner = (own: Context): Scope => rulesScope(amendment.members, scope, own, tools);
  const results = new Map<string, Node>();
  for (const member of amendment.members) {
    if (member.kind !== "bind" || trainingBinding(member) !== "loss") continue;
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
    if (member.kind !== "bind" || trainingBinding(member) !== "grad") continue;
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

/** The method's names, with its `let`s read anew wherever they stand, and what a step of training has beside them. */
const rulesScope = (members: readonly tree.Member[], scope: Scope, context: Context, tools: RuleTools): Scope => {
  const open = new Set<string>();
  const own: Scope = {
    ...scope,
    find: (name, at) => {
      const member = members.find((one) => one.kind === "let" && one.name.text === name);
      if (member?.kind === "let" && !open.has(name)) {
        open.add(name);
        const value = evaluate(member.value, own, context);
        open.delete(name);
        return value;
      }
      const found = scope.find(name, at);
      if (found) return found;
      if (name === "targets") return tools.targets;
      return name === "step" || name === "total" ? tools.clock(name) : undefined;
    },
    names: () => [...scope.names(), "targets", "step", "total"],
  };
  return own;
};
