// Scalar parts of a graph -> expressions that the host computes in double precision. Powers like beta^t would lose digits in
// f32, and computed once by the host both devices see the same bits.

import type { ScalarExpr } from "../../spec/job.ts";
import { type Graph, type Node, reachable } from "./graph.ts";

/** A scalar graph as an expression; an input is replaced by `leaves`, or stands for itself. */
export const expressionOf = (node: Node, leaves: Readonly<Record<string, ScalarExpr>> = {}): ScalarExpr => {
  if (node.op === "constant") return node.attrs.value as number;
  if (node.op === "input") return leaves[node.attrs.name as string] ?? [node.attrs.name as string];
  return [node.op, ...node.inputs.map((input) => expressionOf(input, leaves))];
};

export interface Hoisted {
  readonly outputs: readonly Node[];
  /** What the host computes, in order; `place(i)` of the call below stands where it was. */
  readonly scalars: readonly ScalarExpr[];
}

/** Takes the largest parts that depend on `leaves` alone out of a graph and puts `place(i)` there. */
export const hoist = (
  graph: Graph,
  outputs: readonly Node[],
  leaves: Readonly<Record<string, ScalarExpr>>,
  place: (index: number) => Node,
): Hoisted => {
  const order = reachable(outputs);
  const scalar = new Set<Node>();
  const varies = new Set<Node>();
  for (const node of order) {
    const leaf = node.op === "input" && (node.attrs.name as string) in leaves;
    if (leaf || node.inputs.some((input) => varies.has(input))) varies.add(node);
    const inside = node.op === "constant" || (node.inputs.length > 0 && node.inputs.every((input) => scalar.has(input)));
    if (node.type.shape.length === 0 && (leaf || inside)) scalar.add(node);
  }
  const scalars: ScalarExpr[] = [];
  const known = new Map<string, Node>();
  const replace = (node: Node): Node => {
    const expression = expressionOf(node, leaves);
    const text = JSON.stringify(expression);
    if (!known.has(text)) known.set(text, place(scalars.push(expression) - 1));
    return known.get(text)!;
  };
  // A scalar is replaced where something larger reads it, so that only the largest parts are.
  const copies = new Map<Node, Node>();
  const copyOf = (node: Node): Node => (scalar.has(node) ? (varies.has(node) ? replace(node) : node) : copies.get(node)!);
  for (const node of order) {
    if (scalar.has(node)) continue;
    copies.set(node, node.inputs.length === 0 ? node : graph.add(node.op, node.inputs.map(copyOf), node.attrs, node.origin));
  }
  return { outputs: outputs.map(copyOf), scalars };
};
