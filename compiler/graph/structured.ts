// Factors of a product that are matrices by structure alone: a diagonal, blocks along a diagonal, a Kronecker product, copies side by
// side. None is ever formed where association puts it beside a matrix: it is applied to the matrix's last axis.
//   x·diag(v) = x * v        x·diag(R₁ … Rₖ) block by block        x·(A ⊗ B) one factor after the other        x·[I … I]ᵀ a sum

import { at, isConcrete, product } from "../values/dims.ts";
import type { Dim, Graph, Node } from "./graph.ts";

export interface Factor {
  readonly node: Node;
  readonly transposed: boolean;
}

/** Whether a node is such a factor. `tile` is one where it repeats the identity: then it repeats whatever stands before it. */
export const isStructured = ({ op, inputs }: Node): boolean =>
  op === "diagonal" || op === "block_diagonal" || op === "kron" || (op === "tile" && inputs[0]!.op === "eye");

/**
 * A weight that is written with a structure as a chain of factors with it: `v[:, none] * P` is diag(v)·P, `P * v` is P·diag(v), and
 * copies of P are P·[I … I]. Undefined for any other node. Only weights: their sizes are known.
 */
export const asProduct = (graph: Graph, node: Node): readonly [Node, Node] | undefined => {
  const { shape } = node.type;
  if (shape.length !== 2 || !shape.every(isConcrete)) return undefined;
  if (node.op === "mul") {
    for (const [matrix, vector] of [node.inputs, [...node.inputs].reverse()] as [Node, Node][]) {
      if (matrix.type.shape.join() !== shape.join() || vector === matrix) continue;
      const [rows, columns] = [vector.type.shape.at(-2) ?? 1, vector.type.shape.at(-1) ?? 1];
      if (vector.type.shape.length === 0 || vector.type.shape.length > 2) continue;
      const diagonal = (size: Dim): Node => graph.add("diagonal", [graph.add("reshape", [vector], { shape: [size] })], {}, node.origin);
      if (columns === 1 && rows === shape[0]) return [diagonal(rows), matrix];
      if (rows === 1 && columns === shape[1]) return [matrix, diagonal(columns)];
    }
  }
  if (node.op === "tile" && !isStructured(node)) {
    const [one] = node.inputs as [Node];
    const { count, axis } = node.attrs;
    const last = axis === -1 || axis === 1;
    const copies = graph.add(
      "tile",
      [graph.add("eye", [], { size: one.type.shape[last ? 1 : 0]! })],
      { count: count!, axis: last ? 1 : 0 },
      node.origin,
    );
    return last ? [one, copies] : [copies, one];
  }
  return undefined;
};

/** x · S (or Sᵀ): S on the last axis of x, whatever stands before it. */
export const applyLast = (graph: Graph, x: Node, { node, transposed }: Factor): Node => {
  const lead = x.type.shape.slice(0, -1);
  const flat = product(lead);
  const whole = (y: Node, width: Dim): Node => graph.add("reshape", [y], { shape: [...lead, width] }, node.origin);
  const apart = (shape: readonly Dim[]): Node => graph.add("reshape", [x], { shape: [flat, ...shape] }, node.origin);
  const times = (a: Node, b: Node): Node => graph.add("matmul", [a, b], { transpose_a: false, transpose_b: transposed }, node.origin);
  const turned = (y: Node, order: readonly number[]): Node => graph.add("permute", [y], { order }, node.origin);
  const width = node.type.shape[transposed ? 0 : 1]!;
  switch (node.op) {
    case "diagonal":
      return graph.add("mul", [x, node.inputs[0]!], {}, node.origin);
    case "block_diagonal": {
      const [count, rows, columns] = node.inputs[0]!.type.shape as [Dim, Dim, Dim];
      const blocks = turned(apart([count, transposed ? columns : rows]), [1, 0, 2]);
      return whole(turned(times(blocks, node.inputs[0]!), [1, 0, 2]), width);
    }
    case "kron": {
      const [a, b] = node.inputs as [Node, Node];
      const [outer, inner] = [a.type.shape[transposed ? 1 : 0]!, b.type.shape[transposed ? 1 : 0]!];
      const first = times(apart([outer, inner]), b);
      return whole(turned(times(turned(first, [0, 2, 1]), a), [0, 2, 1]), width);
    }
    default: {
      // [I … I] beside each other (axis 1), or one below the other (axis 0).
      const [size] = node.inputs[0]!.type.shape as [Dim];
      const gathers = (node.attrs.axis === 1) === transposed;
      if (!gathers) return graph.add("tile", [x], { count: node.attrs.count!, axis: -1 }, node.origin);
      const copies = graph.add("reshape", [x], { shape: [...lead, node.attrs.count as Dim, size] }, node.origin);
      return graph.add("sum", [copies], { axes: [-2], keep: false }, node.origin);
    }
  }
};

/** Multiply-adds of applying it to as many rows, and elements written. */
export const costOf = ({ node }: Factor, rows: number, sizes: Readonly<Record<string, number>>): { flops: number; written: number } => {
  const [m, n] = node.type.shape.map((dim) => at(dim, sizes)) as [number, number];
  const wide = rows * Math.max(m, n);
  switch (node.op) {
    case "block_diagonal":
      return { flops: 2 * rows * at(product(node.inputs[0]!.type.shape), sizes), written: wide };
    case "kron": {
      const [a, b] = node.inputs.map(({ type }) => type.shape.map((dim) => at(dim, sizes))) as [number[], number[]];
      return { flops: 2 * rows * (a[0]! * b[0]! * b[1]! + b[1]! * a[0]! * a[1]!), written: 2 * wide };
    }
    default:
      return { flops: wide, written: wide };
  }
};
