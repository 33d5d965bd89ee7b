// Cutting graphs into segments: a segment is a fresh, minimal graph with named ends, so that equal work has equal text
// wherever it came from and is compiled once.

import { createGraph, type Graph, type Node, reachable, type SegmentGraph } from "./graph.ts";

export interface Ends {
  readonly name: string;
  /** Nodes that become inputs, and their names. Everything above them is cut away. */
  readonly inputs: ReadonlyMap<Node, string>;
  readonly outputs: readonly { readonly name: string; readonly node: Node }[];
}

/** Copies what the outputs need into a graph of its own. Every leaf must be an input or a constant. Unused inputs are dropped. */
export const cut = ({ name, inputs, outputs }: Ends): SegmentGraph => {
  const graph = createGraph();
  const copies = new Map<Node, Node>();
  const used: { name: string; node: Node }[] = [];
  for (const node of reachable(
    outputs.map((output) => output.node),
    inputs,
  )) {
    const inputName = inputs.get(node);
    if (inputName !== undefined) {
      const copy = graph.input(inputName, node.type, node.origin);
      copies.set(node, copy);
      if (!used.some((one) => one.node === copy)) used.push({ name: inputName, node: copy });
    } else copies.set(node, copyNode(graph, node, copies));
  }
  return { name, inputs: used, outputs: outputs.map((output) => ({ name: output.name, node: copies.get(output.node)! })) };
};

const copyNode = (graph: Graph, node: Node, copies: ReadonlyMap<Node, Node>): Node => {
  if (node.op === "input") throw new Error(`input ${String(node.attrs.name)} is not among the segment's inputs`);
  if (node.op === "constant") return graph.constant(node.attrs.value as number, node.type.shape, node.type.dtype);
  return withInputs(
    graph,
    node,
    node.inputs.map((input) => copies.get(input)!),
  );
};

const withInputs = (graph: Graph, node: Node, inputs: readonly Node[]): Node =>
  node.op === "pick" ? graph.pick(inputs[0]!, node.attrs.index as number) : graph.add(node.op, inputs, node.attrs, node.origin);

/** The same outputs with some nodes replaced; types are inferred anew. Undefined when a replaced shape no longer fits. */
export const substitute = (
  graph: Graph,
  outputs: readonly Node[],
  replaced: ReadonlyMap<Node, Node>,
  rewrite?: (node: Node, inputs: readonly Node[]) => Node | undefined,
): Node[] | undefined => {
  const copies = new Map<Node, Node>(replaced);
  try {
    for (const node of reachable(outputs)) {
      if (copies.has(node)) continue;
      const inputs = node.inputs.map((input) => copies.get(input)!);
      const same = inputs.every((input, i) => input === node.inputs[i]);
      copies.set(node, rewrite?.(node, inputs) ?? (same ? node : withInputs(graph, node, inputs)));
    }
  } catch {
    return undefined;
  }
  return outputs.map((node) => copies.get(node)!);
};

/** One line per node: the text that golden files hold and that tells equal segments. */
export const printSegment = (segment: SegmentGraph): string => {
  const names = new Map<Node, string>();
  for (const { name, node } of segment.inputs) names.set(node, `%${name}`);
  const lines = segment.inputs.map(({ name, node }) => `  in  %${name}: ${node.type.dtype}[${node.type.shape.join(", ")}]`);
  let count = 0;
  for (const node of reachable(segment.outputs.map((output) => output.node))) {
    if (names.has(node)) continue;
    if (node.op === "constant") {
      names.set(node, `${String(node.attrs.value)}${node.type.shape.length ? `[${node.type.shape.join(", ")}]` : ""}`);
      continue;
    }
    const name = `%${count++}`;
    names.set(node, name);
    const attrs = Object.entries(node.attrs)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key}: ${Array.isArray(value) ? `[${value.join(", ")}]` : String(value)}`);
    lines.push(
      `  ${name} = ${node.op}(${[...node.inputs.map((input) => names.get(input)!), ...attrs].join(", ")}): ${node.type.dtype}[${node.type.shape.join(", ")}]`,
    );
  }
  for (const { name, node } of segment.outputs) lines.push(`  out %${name} = ${names.get(node)}`);
  return lines.join("\n");
};
