// What a method measures at one target -> nodes: the sizes that its expressions are, and what `everywhere(…)` takes from each target on the
// way to them. `here(y)` is the way back: the part of y, a list over all targets of the line, that is this target's.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Node } from "../graph/graph.ts";
import { divide } from "../values/dims.ts";
import { type Context, evaluate, reportThrough, toNode } from "../values/expressions.ts";
import { asDim, describe, type Scope, type TensorValue, unknown, type Value } from "../values/values.ts";
import type { Amendment } from "./amend.ts";
import { type EverywhereTools, everywhere, textScope } from "./everywhere.ts";

export interface MeasureTools extends EverywhereTools {
  /** Which of the line's targets this is, from 0. */
  readonly part: number;
  readonly tensorOf: (node: Node) => TensorValue;
}

/** Results by name: "everywhere K", and "size NAME", a number. */
export const measureRules = (
  { members }: Pick<Amendment, "members">,
  scope: Scope,
  outer: Context,
  tools: MeasureTools,
): ReadonlyMap<string, Node> => {
  const results = new Map<string, Node>();
  const context: Context = {
    ...outer,
    special: (name, call, own) =>
      name === "everywhere"
        ? everywhere(call, own, context, results, tools)
        : name === "here"
          ? here(call, own, context, tools)
          : outer.special?.(name, call, own),
  };
  // Neither sizes are known while they are measured nor what has them.
  const later = new Set(
    members.flatMap((member) =>
      member.kind === "measure" ? [member.name.text] : member.kind === "param" ? member.names.map(({ text }) => text) : [],
    ),
  );
  const before: Scope = { ...scope, find: (name, at) => (later.has(name) ? undefined : scope.find(name, at)) };
  const inner = textScope(members, before, context, new Map(), { targets: () => tools.targets });
  for (const member of members) {
    if (member.kind !== "measure") continue;
    const value = evaluate(member.value, inner, context);
    if (value.kind === "unknown") continue;
    const node = toNode(value, context);
    if (node && node.type.dtype === "f32" && node.type.shape.length === 0) results.set(`size ${member.name.text}`, node);
    else
      reportThrough(
        context,
        member.value.at,
        (at, details) => diagnostics.bad_measure(at, { name: member.name.text, problem: `its value is ${describe(value)}` }, details),
        { help: "count something, like `sum(if x < 1 then 0 else 1, axes: [0])`: one number for each target" },
      );
  }
  return results;
};

const here = (call: tree.Call, scope: Scope, context: Context, { targets, part, tensorOf }: MeasureTools): Value => {
  const value = call.args[0] && evaluate(call.args[0].value, scope, context);
  if (value?.kind === "unknown") return unknown;
  const all = value?.kind === "tensor" && value.node.type.shape.length === 1 ? context.use!(value) : undefined;
  const parts = asDim(targets) ?? 1;
  const count = all && divide(all.type.shape[0]!, parts);
  if (all && count !== undefined && call.args.length === 1) return tensorOf(context.stage!.graph.add("here", [all], { count, part }));
  return reportThrough(
    context,
    call.at,
    (at, details) => diagnostics.bad_measure(at, { name: "here(…)", problem: "it takes a list over all targets of the line" }, details),
    { help: "write `here(y)` with y made of `everywhere(x)`" },
  );
};

/** Reports what stands where nothing can be measured. */
export const checkMeasures = ({ members }: Pick<tree.MethodDef, "members">, context: Context): void => {
  const wrong = (member: tree.MeasureMember, problem: string, help: string): void => {
    reportThrough(context, member.name.at, (at, details) => diagnostics.bad_measure(at, { name: member.name.text, problem }, details), {
      help,
    });
  };
  for (const member of members) {
    if (member.kind === "each")
      for (const inner of member.members) if (inner.kind === "measure") wrong(inner, "it stands in an `each`", "amend that module itself");
    if (member.kind === "measure" && members.some((other) => other.kind === "param" && other.modifiers.includes("shared")))
      wrong(member, "the method has a parameter that all targets share", "leave `shared` out, or let the size be a setting");
    if (member.kind === "measure" && !members.some(({ kind }) => kind === "observe"))
      wrong(member, "the method observes nothing that it could follow from", "write what is looked at: `observe c: [in, in] = x.T @ x`");
  }
};
