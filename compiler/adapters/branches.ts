// `branch(D, g)` and `merged(v)` in the text of a method: a delta that training reaches through a gate, and what a value is without
// its gates. What becomes of a branch is association's affair (associate.ts).

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Node } from "../graph/graph.ts";
import { substitute } from "../graph/segments.ts";
import type { Stage } from "../unfold/stage.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { type Scope, type TensorValue, unknown, type Value } from "../values/values.ts";

/** branch(D, g): D itself, with a gate on the way in where `gates` says so. */
export const branch = (
  call: tree.Call,
  scope: Scope,
  context: Context,
  stages: readonly Stage[],
  use: (tensor: TensorValue) => Node,
  gates: boolean,
): Value => {
  const [first, second, more] = call.args.map((argument) => evaluate(argument.value, scope, context));
  if (first?.kind === "unknown" || second?.kind === "unknown") return unknown;
  if (first?.kind !== "tensor" || second?.kind !== "op" || more)
    return reportThrough(context, call.at, (at, details) => diagnostics.bad_branch(at, details), {
      help: "write `branch(delta, dropout(p: …))`: a tensor, and an op that still waits for its tensor",
    });
  if (!gates || second.attrs.p === 0) return first;
  const { graph, name } = stages.at(-1)!;
  // Part of a stage may be unfolded in a graph of its own: each gate of a stage draws by its own number.
  const site = stages
    .filter((stage) => stage.name === name)
    .flatMap((stage) => stage.graph.nodes.filter(({ op }) => op === "branch")).length;
  const node = graph.add("branch", [use(first)], { ...second.attrs, gate: second.op.name, site }, [...context.through, call.at]);
  return { kind: "tensor", node, stage: stages.length - 1 };
};

/** merged(v): what v is once nothing is gated. A `let` that was unfolded with its gates is taken without them. */
export const merged = (call: tree.Call, scope: Scope, context: Context, use: (tensor: TensorValue) => Node): Value => {
  const [argument, more] = call.args;
  if (!argument || more)
    return reportThrough(context, call.at, (at, details) =>
      diagnostics.wrong_argument_count(at, { module: "merged", wanted: 1, given: call.args.length }, details),
    );
  const value = evaluate(argument.value, scope, context);
  if (value.kind !== "tensor") return value;
  const ungated = (one: Node, inputs: readonly Node[]): Node | undefined => (one.op === "branch" ? inputs[0] : undefined);
  const { graph, index } = context.stage!;
  return { kind: "tensor", node: substitute(graph, [use(value)], new Map(), ungated)![0]!, stage: index };
};
