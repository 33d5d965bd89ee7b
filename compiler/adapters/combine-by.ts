// `combine(a: 0.7, b: 0.3, by: RULE(…))` -> an adapter whose own tensors are computed from what the others change. A rule is a method
// like any other, of the library or one's own; in its first values it may read `deltas` [members, out, in] and `weights`
// [members, 1, 1], and everywhere the size `members`.

import type * as tree from "../../grammar/tree.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { bindArguments } from "../blocks/arguments.ts";
import type { Library } from "../blocks/resolve.ts";
import { faceOf } from "../model/interfaces.ts";
import type { Context } from "../values/expressions.ts";
import { number, type Scope } from "../values/values.ts";
import { type Applied, amend } from "./amend.ts";
import type { AdapterPlan, InjectionPlan } from "./inject.ts";
import { layersOf } from "./layers.ts";
import { reboundBy } from "./merging.ts";

/** Undefined after a report. */
export const combineBy = (
  item: tree.Adapter,
  rule: tree.Expr,
  plans: readonly AdapterPlan[],
  weights: readonly number[],
  adapters: ReadonlyMap<string, AdapterPlan>,
  library: Library,
  scope: Scope,
  context: Context,
): AdapterPlan | undefined => {
  const wrong = (at: tree.Span, problem: string, help: string): undefined => {
    context.report(diagnostics.made_of(at, { maker: "combine", problem }, { help }));
    return undefined;
  };
  const name = rule.kind === "call" && rule.callee.kind === "ref" ? rule.callee.name : undefined;
  const method = name === undefined ? undefined : library.find("method", name);
  if (rule.kind !== "call" || !method?.amends) {
    const near = name === undefined ? undefined : nearest(name, library.names("method"));
    return wrong(rule.at, "needs a rule after `by:`", near ? `did you mean \`${near}\`?` : "write one, like `by: ties(density: 0.5)`");
  }
  const beyond = plans.find(
    (plan) => plan.made || plan.injections.some((one) => !one.method.amends) || reboundBy(plan).some((one) => one.name !== "weight"),
  );
  if (beyond)
    return wrong(
      rule.at,
      `by a rule is for adapters that change weights, and \`${beyond.name}\` does more`,
      "leave `by` out: then changes of any kind are added up",
    );
  const settings = new Map(
    bindArguments({ what: `method ${method.name.text}`, at: rule.at, parameters: method.parameters }, rule.args, scope, context),
  );
  settings.set("members", number(plans.length));
  const targets = [...new Set(plans.flatMap((plan) => plan.targets))];
  const fitting = targets.filter((module) => faceOf(module, method.amends!.text));
  if (fitting.length < targets.length)
    return wrong(rule.at, `cannot go where \`${method.name.text}\` does not fit`, `it amends ${method.amends.text}`);
  const applied: Applied = {
    adapter: item.name.text,
    at: rule.at,
    method,
    settings,
    tied: false,
    combines: plans.map((plan, i) => ({ layers: layersOf(plan.name, adapters), weight: weights[i]! })),
  };
  const params = amend(applied, targets, { ...context, through: [...context.through, rule.at] });
  const coverage = plans.flatMap((plan) => plan.coverage);
  const injection: InjectionPlan = { at: rule.at, method, settings, tied: false, params, targets, coverage };
  return {
    name: item.name.text,
    at: item.at,
    base: plans[0]!.base,
    injections: [injection],
    params,
    targets,
    coverage,
    trainable: 0,
    of: plans.map((plan) => plan.name),
  };
};
