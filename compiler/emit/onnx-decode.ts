// Products with a packed matrix that ONNX Runtime unpacks itself (MatMulBnb4 of com.microsoft): x·Wᵀ with one of the two codebooks it
// knows, in blocks that do not run over rows. It unpacks on all threads into a buffer of its own; an unpacking in the graph is nodes of
// their own (`npx tsx bench/engine-product.ts` times both). Only the transposed product is right: with transB=0 its numbers are wrong
// (measured on 1.30), so the backward product reads an unpacked matrix.

import type { Node } from "../graph/graph.ts";
import { codingOf } from "../ops/decode.ts";
import type { OnnxWriter } from "./onnx-writer.ts";

/** The engine's codebooks, by its number for each; it looks at no other. */
const codebooks: readonly (readonly number[])[] = [
  [
    0, 0.005208333333, 0.66666667, 1, 0.33333333, 0.5, 0.16666667, 0.25, 0, -0.005208333333, -0.66666667, -1, -0.33333333, -0.5,
    -0.16666667, -0.25,
  ],
  [
    -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1,
  ],
];

const codebookOf = (table: readonly number[]): number =>
  codebooks.findIndex(
    (entries) => table.length === 16 && entries.every((entry, i) => Math.abs(entry - table[i]!) <= 6e-8 * Math.abs(entry)),
  );

const engineTakes = (node: Node): boolean => {
  const [x, w] = node.inputs;
  if (node.op !== "matmul" || node.attrs.transpose_a === true || node.attrs.transpose_b !== true) return false;
  // The engine multiplies what it unpacked, unrounded.
  if (node.attrs.half === true) return false;
  if (w?.op !== "decode" || w.inputs.length !== 2 || !x) return false;
  const { bits, block, shape, table } = codingOf(w.attrs);
  const columns = shape.at(-1);
  return (
    bits === 4 &&
    shape.length === 2 &&
    block >= 16 &&
    Number.isInteger(Math.log2(block)) &&
    typeof columns === "number" &&
    columns % block === 0 &&
    codebookOf(table) >= 0
  );
};

/** The products to print so, and the unpackings that nothing else reads. */
export const engineProducts = (
  order: readonly Node[],
  outputs: readonly Node[],
): { readonly products: ReadonlySet<Node>; readonly unread: ReadonlySet<Node> } => {
  const products = new Set(order.filter(engineTakes));
  const read = new Set<Node>(outputs);
  for (const node of order) for (const [i, input] of node.inputs.entries()) if (!(products.has(node) && i === 1)) read.add(input);
  return { products, unread: new Set([...products].map((node) => node.inputs[1]!).filter((node) => !read.has(node))) };
};

export const printProduct = (write: OnnxWriter, node: Node, x: string, codes: string, scale: string): string => {
  const { block, shape, table } = codingOf(node.inputs[1]!.attrs);
  const [rows, columns] = shape as [number, number];
  return write.node("com.microsoft.MatMulBnb4", [x, codes, scale], {
    K: columns,
    N: rows,
    block_size: block,
    quant_type: codebookOf(table),
    transB: 1,
  });
};
