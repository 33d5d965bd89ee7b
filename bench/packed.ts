// What the benches of products with a packed weight share: the weight as a graph reads it, and how far a product is from the same in double
// precision, which a bench holds its forms to before it times them.

import { createGraph, type Graph, type Node, type SegmentGraph } from "../compiler/graph/graph.ts";
import { decoded } from "../compiler/model/format.ts";

export type PackedFormat = Parameters<typeof decoded>[1];

type Give = (name: string, type: Node["type"]) => Node;

/** `multiply` over a weight unpacked from its pieces; they and what it asks to be given are the inputs. */
export const productWith = (
  name: string,
  format: PackedFormat,
  shape: readonly number[],
  multiply: (graph: Graph, weight: Node, give: Give) => Node,
): SegmentGraph => {
  const graph = createGraph();
  const inputs: { name: string; node: Node }[] = [];
  const give: Give = (input, type) => {
    const node = graph.input(input, type);
    inputs.push({ name: input, node });
    return node;
  };
  const weight = decoded(graph, format, shape, (suffix, type) => give(`w${suffix}`, type));
  return { name, inputs, outputs: [{ name: "y", node: multiply(graph, weight, give) }] };
};

/** Of some 500 results of x·Wᵀ, or of x·W with `backward`, the largest difference against the largest of them. W is size x size. */
export const farthest = (y: Float32Array, x: Float32Array, matrix: Float32Array, size: number, backward: boolean): number => {
  // Odd, so that all columns come up.
  const step = Math.max(1, Math.floor(y.length / 500)) | 1;
  let [off, most] = [0, 0];
  for (let i = 0; i < y.length; i += step) {
    const [row, column] = [Math.floor(i / size), i % size];
    let sum = 0;
    for (let k = 0; k < size; k++) sum += x[row * size + k]! * matrix[backward ? k * size + column : column * size + k]!;
    off = Math.max(off, Math.abs(y[i]! - sum));
    most = Math.max(most, Math.abs(sum));
  }
  return off / most;
};
