// A stack of alike modules: what one of them computes is unfolded once, in a graph of its own, and lifted to all of them (lift.ts), so
// a method that amends one module amends each of the stack, whatever it is made of. Level in and out: values of elaboration.
// `routed(experts, x, gates)` is the one way to call a stack: the sum over its modules of gate times result. That every module meets
// every token is its meaning; a target may leave out those whose gate is 0.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { createGraph, type Dim, type Node } from "../graph/graph.ts";
import { decoded } from "../model/format.ts";
import type { Instance, ParamSpec } from "../model/instantiate.ts";
import { open as unresolved } from "../ops/shape.ts";
import { product } from "../values/dims.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { describe, type Scope, type TensorValue, unknown, type Value } from "../values/values.ts";
import { type Lifted, lift } from "./lift.ts";
import type { Unfolding } from "./per-row.ts";
import type { Stage } from "./stage.ts";

export interface Stacking extends Unfolding {
  readonly through: Context["through"];
  /** A parameter's name within its stage. */
  readonly local: (path: string) => string;
  /** Whether the parameter is the one that is merged: it comes in as numbers, whatever it is stored as. */
  readonly isMerged: (param: ParamSpec) => boolean;
}

/**
 * What `unfold` computes for one module of a stack, as nodes [count, …] of the open stage. It is given `shared`, which is the same for all
 * of them, in the stage that is open then. Undefined after a report.
 */
export const forAll = (
  stacking: Stacking,
  count: Dim,
  at: tree.Span,
  shared: readonly Node[],
  unfold: (shared: readonly TensorValue[]) => readonly TensorValue[] | undefined,
): readonly Node[] | undefined => {
  const { report, stages, addInput, use, through } = stacking;
  const outer = stages.at(-1)!;
  const inner: Stage = { name: outer.name, graph: createGraph(), inputs: new Map(), outputs: [] };
  stages.push(inner);
  const ends = new Map<Node, Lifted>();
  const given = shared.map((node, i): TensorValue => {
    const one = inner.graph.input(`shared${i}`, node.type);
    ends.set(one, { node, lifted: false });
    return { kind: "tensor", node: one, stage: stages.length - 1 };
  });
  const results = unfold(given)?.map(use);
  stages.pop();
  if (!results) return undefined;
  for (const [name, { node, from }] of inner.inputs) {
    const stacked = "param" in from && from.param.stack !== undefined;
    const whole =
      from.kind === "param" && stacked
        ? wholeOf(from.param, outer, stacking)
        : "param" in from && stacked
          ? addInput(name, { dtype: node.type.dtype, shape: from.param.shape }, from)
          : addInput(name, node.type, from);
    ends.set(node, { node: whole, lifted: stacked });
  }
  const lifted = results.map((result) => lift(outer.graph, result, ends, count));
  const stuck = lifted.find((one): one is { readonly stuck: Node } => "stuck" in one)?.stuck;
  if (stuck) {
    const problem = `${stuck.op} is computed for one module at a time`;
    reportThrough({ report, through }, stuck.origin[0] ?? at, (place, details) => diagnostics.cannot_stack(place, { problem }, details), {
      help: "write it with ops that work on every module of the stack at once, or target modules that are not in a stack",
    });
    return undefined;
  }
  return (lifted as readonly Lifted[]).map((one) =>
    one.lifted ? one.node : outer.graph.add("broadcast", [one.node], { shape: [count, ...one.node.type.shape] }),
  );
};

const wholeOf = (param: ParamSpec, { graph }: Stage, { addInput, local, isMerged }: Stacking): Node =>
  param.format && !isMerged(param)
    ? decoded(graph, param.format, param.shape.map(Number), (piece, type) =>
        addInput(`${local(param.path)}${piece}`, type, { kind: "param", param, piece }),
      )
    : addInput(local(param.path), { dtype: "f32", shape: param.shape }, { kind: "param", param });

/** The values of `routed(experts, x, gates)`'s arguments; undefined when they are others. */
const routedArguments = (
  call: tree.Call,
  scope: Scope,
  context: Context,
): { readonly experts: Instance; readonly x: TensorValue; readonly gates: TensorValue } | "unknown" | undefined => {
  const [first, ...rest] = call.args;
  const callee = first?.value.kind === "ref" ? scope.callee?.(first.value.name) : undefined;
  const [x, gates, more] = rest.map((argument) => evaluate(argument.value, scope, context));
  if (x?.kind === "unknown" || gates?.kind === "unknown") return "unknown";
  if (callee?.kind !== "module" || callee.instance.stack === undefined || x?.kind !== "tensor" || gates?.kind !== "tensor" || more)
    return undefined;
  return { experts: callee.instance, x, gates };
};

/** routed(experts, x [.., in], gates [.., count]) -> [.., out]: the sum over the stack's modules of gate · module(x). */
export const routed = (
  call: tree.Call,
  scope: Scope,
  context: Context,
  stacking: Stacking,
  callModule: (instance: Instance, x: TensorValue) => Value,
): Value => {
  const given = routedArguments(call, scope, context);
  if (given === "unknown") return unknown;
  if (!given)
    return reportThrough(
      context,
      call.at,
      (at, details) =>
        diagnostics.cannot_stack(at, { problem: "`routed` takes a stack, what goes in, and a gate for each module" }, details),
      { help: "write `routed(experts, x, gates)` with `experts = stacked repeat …`, x [.., in] and gates [.., count]" },
    );
  const { experts, x, gates } = given;
  const [tokens, weights] = [stacking.use(x), stacking.use(gates)];
  const lead = tokens.type.shape.slice(0, -1);
  const wanted: readonly Dim[] = [...lead, experts.stack!];
  const fits =
    weights.type.shape.length === wanted.length && weights.type.shape.every((dim, i) => dim === wanted[i] || unresolved(dim, wanted[i]!));
  if (!fits) {
    const problem = `routed: gates are ${describe(gates)}, not [${wanted.join(", ")}]`;
    return reportThrough(context, call.at, (at, details) => diagnostics.shapes_do_not_fit(at, { problem }, details));
  }
  const { graph } = stacking.stages.at(-1)!;
  const count = product(lead);
  const flat = graph.add("reshape", [tokens], { shape: [count, tokens.type.shape.at(-1)!] }, tokens.origin); // [n, in]
  const [results] =
    forAll(stacking, experts.stack!, call.at, [flat], ([one]) => {
      const result = callModule(experts, one!);
      return result.kind === "tensor" ? [result] : undefined;
    }) ?? [];
  if (!results) return unknown;
  const byModule = graph.add("permute", [graph.add("reshape", [weights], { shape: [count, experts.stack!] })], { order: [1, 0] });
  const gate = graph.add("reshape", [byModule], { shape: [experts.stack!, count, 1] }); // [count, n, 1]
  const sum = graph.add("sum", [graph.add("mul", [results, gate])], { axes: [0], keep: false }, [...context.through, call.at]);
  const node = graph.add("reshape", [sum], { shape: [...lead, results.type.shape.at(-1)!] });
  return { kind: "tensor", node, stage: stacking.stages.length - 1 };
};
