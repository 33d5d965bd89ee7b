// `attention(query, key, value, …, memory: list, sink: scores)`: key and value with slots in front of them that every query sees, and one
// more that brings nothing. The list holds (key, value) pairs, [slots, heads, width] or [rows, slots, heads, width] each; an empty one, or
// no scores, changes nothing, and the graph is the same as without it.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Node } from "../graph/graph.ts";
import { add, type Dim } from "../values/dims.ts";
import { apply, type Context, evaluate, reportThrough, toNode } from "../values/expressions.ts";
import { describe, type Scope, type TensorValue, unknown, type Value } from "../values/values.ts";

/** The call without its memory and its sink, and both put in front. Undefined when the call has neither. */
export const withMemory = (call: tree.Call, scope: Scope, context: Context): Value | undefined => {
  const named = (name: string) => call.args.find((argument) => argument.name?.text === name);
  const own = [named("memory"), named("sink")] as const;
  if (!own[0] && !own[1]) return undefined;
  const [memory, sink] = own.map((argument) => argument && evaluate(argument.value, scope, context));
  const plain = evaluate({ ...call, args: call.args.filter((other) => !own.includes(other)) }, scope, context);
  if (memory?.kind === "unknown" || sink?.kind === "unknown" || plain.kind !== "tensor") return unknown;
  const pairs = memory ? pairsOf(memory) : [];
  if (!pairs)
    return reportThrough(
      context,
      own[0]!.value.at,
      (at, details) => diagnostics.wrong_operand(at, { op: "memory", what: describe(memory!) }, details),
      { help: "memory is a list of pairs: `memory = base.memory ++ [(key, value)]`" },
    );
  const scores = sink?.kind === "none" ? undefined : sink;
  if (scores && scores.kind !== "tensor")
    return reportThrough(
      context,
      own[1]!.value.at,
      (at, details) => diagnostics.wrong_operand(at, { op: "sink", what: describe(scores) }, details),
      { help: "a sink is a tensor [heads], such as `param sinks: [heads]`" },
    );
  const attention = toNode(plain, context)!.inputs[0]!;
  let [query, key, value, sees, ...bias] = attention.inputs as [Node, Node, Node, Node, ...Node[]];
  let slots: Dim = 0;
  // The last pair comes to stand in front: slots have no order that anything could see.
  for (const pair of pairs) {
    const joined = [key, value].map((rows, i) => apply("remember", [toNode(pair[i]!, context)!, rows], {}, own[0]!.value.at, context));
    if (joined.some((one) => one.kind !== "tensor")) return unknown;
    [key, value] = joined.map((one) => toNode(one, context)!) as [Node, Node];
    slots = add(slots, toNode(pair[0], context)!.type.shape.at(-3)!);
  }
  if (slots === 0 && !scores) return plain;
  const attrs = { ...attention.attrs, ...(slots !== 0 && { memory: slots }) };
  if (!scores) return apply("attention", [query, key, value, sees, ...bias], attrs, call.at, context);
  return apply("attention_with_sink", [query, key, value, sees, toNode(scores, context)!, ...bias], attrs, call.at, context);
};

/** `recall(query, key, value)`: what queries [b, t, heads, d] hear from slots [m, kv_heads, d] that are parameters, all of them seen. */
export const recall = (call: tree.Call, scope: Scope, context: Context): Value => {
  const values = call.args.map((argument) => evaluate(argument.value, scope, context));
  if (values.some((value) => value.kind === "unknown")) return unknown;
  const nodes = values.map((value) => (value.kind === "tensor" ? toNode(value, context)! : undefined));
  const [query, key, value] = nodes;
  if (nodes.length !== 3 || !query || !key || !value || query.type.shape.length !== 4)
    return reportThrough(context, call.at, (at, details) => diagnostics.bad_recall(at, details), {
      help: "write `recall(query, key, value)`: queries [rows, tokens, heads, width], and slots [slots, heads, width]",
    });
  const { graph } = context.stage!;
  const [b, t] = query.type.shape as [Dim, Dim];
  const wide = (slots: Node): Node => graph.add("broadcast", [slots], { shape: [b, ...slots.type.shape] });
  const nothing = graph.constant(0, [b, t], "i32");
  return apply("attention", [query, wide(key), wide(value), nothing], { causal: false }, call.at, context);
};

/** (key, value) pairs; undefined when the value is anything else. */
const pairsOf = (value: Value): (readonly [TensorValue, TensorValue])[] | undefined => {
  if (value.kind !== "list") return undefined;
  const pairs = value.items.map((item) => (item.kind === "list" && item.items.length === 2 ? item.items : []));
  if (!pairs.every((pair): pair is [TensorValue, TensorValue] => pair.length === 2 && pair.every((one) => one.kind === "tensor")))
    return undefined;
  return pairs;
};
