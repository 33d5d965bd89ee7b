// Finds sums of a matrix and a product that nothing else reads, all of sizes known now: a weight and what an adapter adds to it. Written
// as one Gemm; ONNX Runtime would fuse them itself, but then takes them for written last (onnx-order.ts).

import type { Node } from "../graph/graph.ts";
import { isConcrete } from "../values/dims.ts";

export interface MatrixSum {
  readonly product: Node;
  readonly matrix: Node;
}

export const findSums = (order: readonly Node[], outputs: readonly Node[]): ReadonlyMap<Node, MatrixSum> => {
  const uses = new Map<Node, number>();
  for (const node of [...order.flatMap((user) => user.inputs), ...outputs]) uses.set(node, (uses.get(node) ?? 0) + 1);
  const sums = new Map<Node, MatrixSum>();
  for (const node of order) {
    if (node.op !== "add" || !node.inputs.every((input) => isMatrix(input) && sameShape(input, node))) continue;
    const product = node.inputs.find((input) => input.op === "matmul" && input.inputs.every(isMatrix) && uses.get(input) === 1);
    const matrix = node.inputs.find((input) => input !== product);
    if (product && matrix) sums.set(node, { product, matrix });
  }
  return sums;
};

const isMatrix = ({ type: { dtype, shape } }: Node): boolean => dtype === "f32" && shape.length === 2 && shape.every(isConcrete);

const sameShape = (a: Node, b: Node): boolean => a.type.shape.every((dim, axis) => dim === b.type.shape[axis]);
