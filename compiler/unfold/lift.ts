// A graph that computes something for one row -> the same for a batch of rows, each with parameters of its own. What differs
// from row to row gets one more axis in front; what is the same for all stays as it is, so a frozen weight is read once. Each
// op says how in its own file (`lift`); a batch whose rows use different adapters follows from it for every method at once.
// The idea is JAX's vmap: batching as a transformation of the program (Frostig et al. 2018).

import type { Dim, Graph, Node } from "../graph/graph.ts";
import { createGraph, reachable } from "../graph/graph.ts";
import { ops } from "../ops/index.ts";
import { product } from "../values/dims.ts";

export interface Lifted {
  readonly node: Node;
  /** Whether it has the axis of rows in front. */
  readonly lifted: boolean;
}

export interface LiftContext {
  readonly graph: Graph;
  /** The node for one row: its attributes, and types without the axis of rows. */
  readonly node: Node;
  readonly inputs: readonly Lifted[];
  /** The axis of rows. */
  readonly rows: Dim;
}

/** `x` [rows, …] with axes of one after the first, so that what follows has `rank` axes for each row. */
export const widen = (graph: Graph, x: Node, rank: number): Node => {
  const [rows, ...own] = x.type.shape;
  if (own.length >= rank) return x;
  return graph.add("reshape", [x], { shape: [rows!, ...new Array<number>(rank - own.length).fill(1), ...own] });
};

/** [rows, …]: the place of `bank` [count, …] that `which` [rows] names for each row. */
export const rowsOf = (graph: Graph, bank: Node, which: Node): Node => {
  const [count, ...own] = bank.type.shape;
  const flat = graph.add("reshape", [bank], { shape: [count!, product(own)] });
  return graph.add("reshape", [graph.add("gather", [flat, which])], { shape: [which.type.shape[0]!, ...own] });
};

/** For ops that look at the last axes alone, whatever stands before them, as long as only their first input differs from row to row. */
export const liftLast = ({ graph, node, inputs }: LiftContext): Node | undefined =>
  inputs.slice(1).some(({ lifted }) => lifted)
    ? undefined
    : graph.add(
        node.op,
        inputs.map((input) => input.node),
        node.attrs,
        node.origin,
      );

/** A composed op is lifted as what it is made of. */
const liftExpanded = (graph: Graph, node: Node, inputs: readonly Lifted[], rows: Dim): Lifted | undefined => {
  const expand = ops.get(node.op)?.expand;
  if (!expand) return undefined;
  const scratch = createGraph();
  const own = node.inputs.map((input, i) => scratch.input(`x${i}`, input.type));
  const lifted = lift(graph, expand(scratch, own, node), new Map(own.map((input, i) => [input, inputs[i]!])), rows);
  return "stuck" in lifted ? undefined : lifted;
};

/** Lifts `root`. `ends` stand for its inputs, in `graph`. A node that cannot be lifted is given back instead. */
export const lift = (graph: Graph, root: Node, ends: ReadonlyMap<Node, Lifted>, rows: Dim): Lifted | { readonly stuck: Node } => {
  const done = new Map<Node, Lifted>(ends);
  for (const node of reachable([root])) {
    if (done.has(node)) continue;
    if (node.op === "constant") {
      done.set(node, { node: graph.constant(node.attrs.value as number, node.type.shape, node.type.dtype), lifted: false });
      continue;
    }
    const inputs = node.inputs.map((input) => done.get(input)!);
    if (!inputs.some(({ lifted }) => lifted)) {
      const plain = inputs.map((input) => input.node);
      const same =
        node.op === "pick" ? graph.pick(plain[0]!, node.attrs.index as number) : graph.add(node.op, plain, node.attrs, node.origin);
      done.set(node, { node: same, lifted: false });
      continue;
    }
    const own = ops.get(node.op)?.lift?.({ graph, node, inputs, rows });
    const lifted = own ? { node: own, lifted: true } : liftExpanded(graph, node, inputs, rows);
    if (!lifted) return { stuck: node };
    done.set(node, lifted);
  }
  return done.get(root)!;
};
