// How a stored number reads back, as an expression of its code and its block's states -> table[code] · scale + offset. Every node
// is one of: of the code alone, of the states alone, or such a sum of a product already; sums and products of these stay so.

import { createGraph, type Graph, type Node, reachable } from "../graph/graph.ts";
import { interpret } from "../graph/interpret.ts";

export interface Affine {
  /** An entry per code; empty when the code is the number. */
  readonly table: readonly number[];
  /** Over inputs named as the states; a constant 1 where nothing scales. */
  readonly scale: Node;
  readonly offset?: Node;
}

/** A part of the value: of = the part that depends on the code alone, times scale, plus offset; all over the states but `of`. */
interface Part {
  readonly of?: Node;
  readonly scale?: Node;
  readonly offset?: Node;
}

/** A sentence when the value is nothing of the kind. */
export const affineOf = (graph: Graph, value: Node, coding: { readonly bits: 4 | 8; readonly signed: boolean }): Affine | string => {
  const one = graph.constant(1);
  const combine = (op: string, a: Node | undefined, b: Node | undefined, whenOne: Node | undefined): Node | undefined =>
    a && b ? graph.add(op, [a, b]) : (a ?? b ?? whenOne);
  const touches = new Map<Node, { readonly code: boolean; readonly state: boolean }>();
  for (const node of reachable([value])) {
    const inputs = node.inputs.map((input) => touches.get(input)!);
    const isCode = node.op === "input" && node.attrs.name === "code";
    touches.set(node, {
      code: isCode || inputs.some((input) => input.code),
      state: (node.op === "input" && !isCode) || inputs.some((input) => input.state),
    });
  }
  const split = (node: Node): Part | string => {
    const { code, state } = touches.get(node) ?? { code: false, state: true };
    if (!state) return code ? { of: node } : { offset: node };
    if (!code) return { offset: node };
    const parts = node.inputs.map(split);
    const problem = parts.find((part) => typeof part === "string");
    if (problem) return problem as string;
    const [a, b] = parts as Part[];
    const [left, right] = [a!, b!];
    if (node.op === "neg")
      return { ...left, scale: graph.add("neg", [left.scale ?? one]), ...(left.offset && { offset: graph.add("neg", [left.offset]) }) };
    if (node.op === "mul" && (!left.of || !right.of)) {
      const [inner, factor] = left.of ? [left, right.offset!] : [right, left.offset!];
      return {
        of: inner.of!,
        scale: combine("mul", inner.scale, factor, one)!,
        ...(inner.offset && { offset: graph.add("mul", [inner.offset, factor]) }),
      };
    }
    if (node.op === "div" && !right.of)
      return {
        of: left.of!,
        scale: graph.add("div", [left.scale ?? one, right.offset!]),
        ...(left.offset && { offset: graph.add("div", [left.offset, right.offset!]) }),
      };
    if ((node.op === "add" || node.op === "sub") && (!left.of || !right.of)) {
      const minus = node.op === "sub";
      const inner = left.of ? left : right;
      const scale = minus && !left.of ? graph.add("neg", [inner.scale ?? one]) : inner.scale;
      const offset = minus
        ? left.offset
          ? right.offset
            ? graph.add("sub", [left.offset, right.offset])
            : left.offset
          : right.offset && graph.add("neg", [right.offset])
        : combine("add", left.offset, right.offset, undefined);
      return { of: inner.of!, ...(scale && { scale }), ...(offset && { offset }) };
    }
    return `its value is not a function of the code times a scale plus an offset: \`${node.op}\` mixes the code with states`;
  };
  const part = split(value);
  if (typeof part === "string") return part;
  if (!part.of) return "its value does not depend on the code";
  return { table: tableOf(part.of, coding), scale: part.scale ?? one, ...(part.offset && { offset: part.offset }) };
};

/** The value of every code, in the order of the stored bits; empty when it is the code. */
const tableOf = (of: Node, { bits, signed }: { readonly bits: 4 | 8; readonly signed: boolean }): readonly number[] => {
  if (of.op === "input") return [];
  const count = 2 ** bits;
  const codes = Float64Array.from({ length: count }, (_, i) => (signed && i >= count / 2 ? i - count : i));
  const graph = createGraph();
  const copies = new Map<Node, Node>();
  for (const node of reachable([of]))
    copies.set(
      node,
      node.op === "input"
        ? graph.input("code", { dtype: node.type.dtype, shape: [count] })
        : node.op === "constant"
          ? graph.constant(node.attrs.value as number)
          : graph.add(
              node.op,
              node.inputs.map((input) => copies.get(input)!),
              node.attrs,
            ),
    );
  const [table] = interpret([copies.get(of)!], { code: { shape: [count], data: codes } });
  return Array.from(table!.data, Math.fround);
};
