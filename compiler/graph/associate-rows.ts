// x·E where every row of the batch, or every module of a stack, has an E of its own: [b, t, n] · [b, n, m], or [t, n] · [b, n, m] where
// all of them meet the same x. Sums are always taken apart, because a weight that is
// the same for all rows is then read once instead of once per row, and a chain is multiplied from x on when that is cheaper
// than forming its product for each row: `x·(W + s·B·A)ᵀ` becomes `x·Wᵀ + s·(x·Aᵀ)·Bᵀ` with A and B one per row.

import { axisOf } from "../ops/shape.ts";
import { at } from "../values/dims.ts";
import type { Graph, Node } from "./graph.ts";

export interface RowsOptions {
  readonly sizes: Readonly<Record<string, number>>;
  /** The scalar input that gates draw from. */
  readonly seed: () => Node;
  /** x·E (or x·Eᵀ) for an E that all rows share. */
  readonly shared: (x: Node, weight: Node, transposed: boolean) => Node;
}

/** Whether the product has one weight per row. */
export const isRowwise = (node: Node): boolean => {
  const [x, weight] = node.inputs;
  return (
    node.op === "matmul" &&
    node.attrs.transpose_a !== true &&
    weight!.type.shape.length === 3 &&
    (x!.type.shape.length === 2 || (x!.type.shape.length === 3 && x!.type.shape[0] === weight!.type.shape[0]))
  );
};

export const multiplyRows = (graph: Graph, node: Node, options: RowsOptions): Node =>
  spread(graph, node.inputs[0]!, node.inputs[1]!, node.attrs.transpose_b === true, options);

const spread = (graph: Graph, x: Node, weight: Node, transposed: boolean, options: RowsOptions): Node => {
  const [a, b] = weight.inputs;
  const again = (from: Node, of: Node, turned = transposed): Node => spread(graph, from, of, turned, options);
  if (weight.type.shape.length === 2) return options.shared(x, weight, transposed);
  if (weight.op === "permute" && (weight.attrs.order as readonly number[]).join() === "0,2,1") return again(x, a!, !transposed);
  if (weight.op === "add" || weight.op === "sub") {
    if (fits(a!, weight) && fits(b!, weight)) return graph.add(weight.op, [again(x, a!), again(x, b!)], {}, weight.origin);
  } else if (weight.op === "branch") {
    const { gate, site, ...attrs } = weight.attrs;
    return again(graph.add(gate as string, [x, options.seed()], { ...attrs, site: site! }, weight.origin), a!);
  } else if (weight.op === "mul" && (isScalar(a!) || isScalar(b!))) {
    const [scalar, rest] = isScalar(a!) ? [a!, b!] : [b!, a!];
    return again(graph.add("mul", [x, scalar], {}, weight.origin), rest);
  } else if (weight.op === "matmul" && weight.attrs.transpose_a !== true && weight.attrs.transpose_b !== true) {
    const [first, second] = transposed ? [b!, a!] : [a!, b!];
    if (thin(x, first, second, transposed, options.sizes)) return again(again(x, first), second);
  }
  // A product with a part of a fused weight is that part of the product with the whole, which other parts share.
  if (weight.op === "slice" && axisOf(weight.attrs.axis ?? -1, 3) === (transposed ? 1 : 2))
    return graph.add("slice", [again(x, a!)], { ...weight.attrs, axis: 2 }, weight.origin);
  return graph.add("matmul", [x, weight], { transpose_b: transposed }, weight.origin);
};

/** A term of the whole sum, and not something that is spread over its rows or columns. */
const fits = (term: Node, whole: Node): boolean => term.type.shape.slice(-2).join() === whole.type.shape.slice(-2).join();

const isScalar = (node: Node): boolean => node.type.shape.length === 0;

/** Whether (x·P)·Q costs less than x·(P·Q), for each row. */
const thin = (x: Node, p: Node, q: Node, transposed: boolean, sizes: Readonly<Record<string, number>>): boolean => {
  const last = (node: Node, axis: -1 | -2): number => at(node.type.shape.at(axis)!, sizes);
  const [t, n] = [last(x, -2), last(x, -1)];
  const [r, m] = transposed ? [last(p, -2), last(q, -2)] : [last(p, -1), last(q, -1)];
  return t * n * r + t * r * m <= n * r * m + t * n * m;
};
