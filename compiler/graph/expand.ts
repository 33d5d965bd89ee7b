// A segment -> the same segment without composed ops: each is replaced by what it is made of. Emitters see simple ops alone, while
// everything before them (association, gradients, costs) knows the composed op as one thing with a meaning of its own.

import { ops } from "../ops/index.ts";
import { createGraph, type Node, reachable, type SegmentGraph } from "./graph.ts";

export const expand = (segment: SegmentGraph): SegmentGraph => {
  let current = segment;
  while (composed(current)) current = once(current);
  return current;
};

const composed = (segment: SegmentGraph): boolean =>
  reachable(segment.outputs.map(({ node }) => node)).some((node) => ops.get(node.op)?.expand !== undefined);

const once = (segment: SegmentGraph): SegmentGraph => {
  const graph = createGraph();
  const copies = new Map<Node, Node>(segment.inputs.map(({ name, node }) => [node, graph.input(name, node.type, node.origin)]));
  for (const node of reachable(segment.outputs.map((output) => output.node))) {
    if (copies.has(node)) continue;
    const inputs = node.inputs.map((input) => copies.get(input)!);
    const replacement = ops.get(node.op)?.expand?.(graph, inputs, node);
    copies.set(
      node,
      replacement ??
        (node.op === "constant"
          ? graph.constant(node.attrs.value as number, node.type.shape, node.type.dtype)
          : node.op === "pick"
            ? graph.pick(inputs[0]!, node.attrs.index as number)
            : graph.add(node.op, inputs, node.attrs, node.origin)),
    );
  }
  return {
    name: segment.name,
    inputs: segment.inputs.map(({ name, node }) => ({ name, node: copies.get(node)! })),
    outputs: segment.outputs.map(({ name, node }) => ({ name, node: copies.get(node)! })),
  };
};
