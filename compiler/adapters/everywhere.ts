// `everywhere(x)` where a method's text stands at one target: x of this target is a result, and what is read is given later: x of all
// targets of the line side by side. `let`s are their text at the place where they are named, so that it may stand in one.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Dim, Node } from "../graph/graph.ts";
import { multiply } from "../values/dims.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { asDim, describe, type Scope, type TensorValue, unknown, type Value } from "../values/values.ts";

export interface EverywhereTools {
  /** How many modules the amendment's line covers. */
  readonly targets: Value;
  /** What is written before the text is computed, such as the k-th `everywhere.k`. */
  readonly given: (name: string, shape: readonly Dim[]) => TensorValue;
}

/** Puts "everywhere K" into `results`, and gives what the call stands for. */
export const everywhere = (call: tree.Call, scope: Scope, context: Context, results: Map<string, Node>, tools: EverywhereTools): Value => {
  const value = evaluate(call.args[0]?.value ?? call.callee, scope, context);
  if (value.kind === "unknown") return unknown;
  const wrong = (problem: string): Value =>
    reportThrough(context, call.at, (at, details) => diagnostics.bad_everywhere(at, { problem }, details), {
      help: "write `everywhere(x)` with x a list of numbers [n]: sum over the axes that are too many",
    });
  if (call.args.length !== 1) return wrong(`takes one tensor, not ${call.args.length}`);
  const node = value.kind === "tensor" && value.node.type.shape.length === 1 ? value.node : undefined;
  if (!node) return wrong(`takes a list of numbers, not ${describe(value)}`);
  const known = [...results].find(([name, other]) => name.startsWith("everywhere ") && other === node)?.[0];
  const key = known ?? `everywhere ${[...results.keys()].filter((name) => name.startsWith("everywhere ")).length}`;
  results.set(key, node);
  return tools.given(key.replace(" ", "."), [multiply(node.type.shape[0]!, asDim(tools.targets) ?? 1)]);
};

/** The method's names with its `let`s read anew wherever they stand; `own` is looked up first, `more` where nothing else is meant. */
export const textScope = (
  members: readonly tree.Member[],
  scope: Scope,
  context: Context,
  own: ReadonlyMap<string, Value>,
  more: Readonly<Record<string, () => Value>>,
): Scope => {
  const open = new Set<string>();
  const text: Scope = {
    ...scope,
    find: (name, at) => {
      const member = members.find((one) => one.kind === "let" && one.name.text === name);
      if (member?.kind === "let" && !open.has(name)) {
        open.add(name);
        const value = evaluate(member.value, text, context);
        open.delete(name);
        return value;
      }
      return own.get(name) ?? scope.find(name, at) ?? (Object.hasOwn(more, name) ? more[name]!() : undefined);
    },
    names: () => [...scope.names(), ...own.keys(), ...Object.keys(more)],
  };
  return text;
};
