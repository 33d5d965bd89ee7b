// Nodes of a segment -> the order they are written in, and from it the order that ONNX Runtime runs them in. It walks back from the
// results, of which it takes the one that was written last first, and so with the inputs of a node. So two kinds of nodes are
// moved when written, and intermediate values live as short as the graph lets them:
//
// - what follows from weights alone comes first: a weight is unpacked, or changed by an adapter, right before the product that reads
//   it. Written in the order of the graph, all of a block's would be made at its start and held to its end.
// - results that nothing reads come last, the deepest of them first: a weight's gradient is summed up once the gradient of its
//   product is there. Else what it reads waits until the block's own gradient is done.

import type { Node } from "../graph/graph.ts";
import { isConcrete } from "../values/dims.ts";

/** The same nodes, inputs before what reads them. */
export const writtenOrder = (order: readonly Node[], outputs: readonly Node[]): readonly Node[] => {
  const still = new Set<Node>();
  for (const node of order) if (sizesAreKnown(node) && node.inputs.every((input) => still.has(input))) still.add(node);
  const ends = resultsAlone(order, outputs);
  const depths = depthsOf(order);
  const last = order.filter((node) => ends.has(node) && !still.has(node)).sort((a, b) => depths.get(b)! - depths.get(a)!);
  return [...order.filter((node) => still.has(node)), ...order.filter((node) => !still.has(node) && !ends.has(node)), ...last];
};

/** As ONNX Runtime runs them. */
export const runOrder = (written: readonly Node[], outputs: readonly Node[]): readonly Node[] => {
  const places = new Map(written.map((node, place) => [node, place]));
  const sorted = (nodes: Iterable<Node>): Node[] => [...new Set(nodes)].sort((a, b) => places.get(a)! - places.get(b)!);
  const seen = new Set<Node>();
  const order: Node[] = [];
  const stack = sorted(resultsAlone(written, outputs)).map((node) => ({ node, entered: false }));
  while (stack.length > 0) {
    const { node, entered } = stack.pop()!;
    if (entered) order.push(node);
    else if (!seen.has(node)) {
      seen.add(node);
      stack.push({ node, entered: true }, ...sorted(node.inputs).map((input) => ({ node: input, entered: false })));
    }
  }
  return order;
};

const sizesAreKnown = (node: Node): boolean => (node.types ?? [node.type]).every(({ shape }) => shape.every(isConcrete));

/** Results that no other node reads. */
const resultsAlone = (order: readonly Node[], outputs: readonly Node[]): ReadonlySet<Node> => {
  const read = new Set(order.flatMap(({ inputs }) => inputs));
  return new Set(outputs.filter((node) => !read.has(node)));
};

/** Nodes on the longest way to each. */
const depthsOf = (order: readonly Node[]): ReadonlyMap<Node, number> => {
  const depths = new Map<Node, number>();
  for (const node of order)
    depths.set(
      node,
      node.inputs.reduce((most, input) => Math.max(most, depths.get(input)! + 1), 0),
    );
  return depths;
};
