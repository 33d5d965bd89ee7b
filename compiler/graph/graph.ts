// The one graph type of every tensor level. Nodes are immutable and hash-consed: two equal nodes are one object, so common
// subexpressions meet by construction. Creation order is a topological order. What differs between levels is which ops
// are legal (levels.ts).

import type { Span } from "../../grammar/tree.ts";
import type { Dim, DType, TensorType } from "../../spec/job.ts";
import { ops } from "../ops/index.ts";

export type { Dim, DType, TensorType };

export type Attr = number | string | boolean | readonly (number | string)[];
export type Attrs = Readonly<Record<string, Attr>>;

/** Source spans, outermost first: the user's line, then the definition lines it came through. */
export type Origin = readonly Span[];

export interface Node {
  /** Position in creation order; unique in one graph. */
  readonly id: number;
  readonly op: string;
  readonly inputs: readonly Node[];
  readonly attrs: Attrs;
  /** Of a node with several outputs this is the first one's; take each with `pick`. */
  readonly type: TensorType;
  /** Types of all outputs when there are several. */
  readonly types?: readonly TensorType[];
  readonly origin: Origin;
}

export interface Graph {
  /** Adds a node, or returns the equal one that is there. Throws if the op's type rule refuses: check first what users wrote. */
  readonly add: (op: string, inputs: readonly Node[], attrs?: Attrs, origin?: Origin) => Node;
  /** A named input of a segment. Same name, same node. */
  readonly input: (name: string, type: TensorType, origin?: Origin) => Node;
  /** A scalar or filled constant. */
  readonly constant: (value: number, shape?: readonly Dim[], dtype?: DType) => Node;
  /** The i-th output of a node that has several. */
  readonly pick: (node: Node, index: number) => Node;
  readonly nodes: readonly Node[];
}

/** What makes two nodes equal. Written by hand: it is made for every node asked for, and `JSON.stringify` with a list of keys is slow. */
const keyOf = (op: string, inputs: readonly Node[], attrs: Attrs): string => {
  let key = op;
  for (const { id } of inputs) key += ` ${id}`;
  const names = Object.keys(attrs);
  if (names.length > 1) names.sort();
  for (const name of names) {
    const value = attrs[name]!;
    key += `\n${name} ${typeof value === "object" ? JSON.stringify(value) : typeof value === "string" ? `"${value}` : String(value)}`;
  }
  return key;
};

export const createGraph = (): Graph => {
  const table = new Map<string, Node>();
  const nodes: Node[] = [];

  const intern = (
    op: string,
    inputs: readonly Node[],
    attrs: Attrs,
    origin: Origin,
    typed: () => TensorType | readonly TensorType[],
  ): Node => {
    const key = keyOf(op, inputs, attrs);
    const known = table.get(key);
    if (known) return known;
    const type = typed();
    const node: Node = Array.isArray(type)
      ? { id: nodes.length, op, inputs, attrs, type: type[0]!, types: type, origin }
      : { id: nodes.length, op, inputs, attrs, type: type as TensorType, origin };
    table.set(key, node);
    nodes.push(node);
    return node;
  };

  const add: Graph["add"] = (op, inputs, attrs = {}, origin = inputs[0]?.origin ?? []) =>
    intern(op, inputs, attrs, origin, () => {
      const definition = ops.get(op);
      if (!definition) throw new Error(`no op ${op}`);
      const type = definition.type(
        inputs.map((n) => n.type),
        attrs,
      );
      if ("problem" in type) throw new Error(`${op}: ${type.problem}`);
      return type;
    });

  return {
    add,
    input: (name, type, origin = []) => intern("input", [], { name, dtype: type.dtype, shape: type.shape }, origin, () => type),
    constant: (value, shape = [], dtype = "f32") => intern("constant", [], { value, dtype, shape }, [], () => ({ dtype, shape })),
    pick: (node, index) => intern("pick", [node], { index }, node.origin, () => node.types![index]!),
    nodes,
  };
};

/** Nodes that the outputs need, inputs before users; nothing above an end. */
export const reachable = (outputs: readonly Node[], ends?: { readonly has: (node: Node) => boolean }): Node[] => {
  const seen = new Set<Node>();
  const stack = [...outputs];
  while (stack.length) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    if (!ends?.has(node)) stack.push(...node.inputs);
  }
  return [...seen].sort((a, b) => a.id - b.id);
};

/** One compiled unit: a graph with named ends. Inputs are nodes of op `input`. */
export interface SegmentGraph {
  readonly name: string;
  readonly inputs: readonly { readonly name: string; readonly node: Node }[];
  readonly outputs: readonly { readonly name: string; readonly node: Node }[];
}
