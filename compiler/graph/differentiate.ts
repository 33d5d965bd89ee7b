// Reverse-mode differentiation of one graph. First marks what lies on a path from a wanted node to an output; nothing else
// ever gets a gradient node, so frozen parameters cost nothing. The gradient of each op stands in its own file.

import { ops } from "../ops/index.ts";
import type { Graph, Node } from "./graph.ts";
import { reachable } from "./graph.ts";

/**
 * @param seeds gradient of each output
 * @param wanted nodes whose gradient is asked for
 * @returns the gradient of each wanted node that an output depends on
 */
export const differentiate = (graph: Graph, seeds: ReadonlyMap<Node, Node>, wanted: ReadonlySet<Node>): Map<Node, Node> => {
  const order = reachable([...seeds.keys()]);
  const onPath = new Set<Node>();
  for (const node of order) if (wanted.has(node) || node.inputs.some((input) => onPath.has(input))) onPath.add(node);

  // One slot per output of a node.
  const gradients = new Map<Node, (Node | undefined)[]>();
  const flow = (node: Node, index: number, d: Node): void => {
    const slots = gradients.get(node) ?? [];
    slots[index] = slots[index] ? graph.add("add", [slots[index], d]) : d;
    gradients.set(node, slots);
  };
  for (const [output, d] of seeds) flow(output, 0, d);

  for (const node of [...order].reverse()) {
    const d = gradients.get(node);
    if (!d || !onPath.has(node) || node.inputs.length === 0) continue;
    if (node.op === "pick") {
      flow(node.inputs[0]!, node.attrs.index as number, d[0]!);
      continue;
    }
    const wants = node.inputs.map((input) => onPath.has(input));
    const gradient = ops.get(node.op)!.gradient;
    if (!gradient) throw new Error(`${node.op} has no gradient and lies on a path to a trained parameter`);
    for (const [i, di] of gradient({ graph, node, d, wants }).entries()) if (wants[i] && di) flow(node.inputs[i]!, 0, di);
  }
  return new Map([...wanted].flatMap((node) => (gradients.get(node)?.[0] ? [[node, gradients.get(node)![0]!]] : [])));
};
