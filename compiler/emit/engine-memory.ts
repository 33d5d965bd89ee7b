// Graph of an ONNX part -> the bytes that ONNX Runtime takes beside its inputs and outputs while it runs, at given sizes. It runs nodes
// depth first from the outputs, frees a value after its last reader, and writes an elementwise result over an operand that nothing else
// reads. Ops that print as several nodes say what those hold together (`held`). When all is computed its binding copies every output,
// so the copies are the least that it takes. An estimate: bench/memory.ts holds it against what a process takes.

import type { Node, SegmentGraph } from "../graph/graph.ts";
import { ops } from "../ops/index.ts";
import { bytesOf } from "../programs/place.ts";
import { engineProducts } from "./onnx-decode.ts";

type Sizes = Readonly<Record<string, number>>;

export const engineBytes = (segment: SegmentGraph, sizes: Sizes): number => {
  const outputs = segment.outputs.map(({ node }) => node);
  const order = depthFirst(outputs);
  const { products, unread } = engineProducts(order, outputs);
  const given = new Set([...segment.inputs.map(({ node }) => node), ...outputs]);
  const steps = order.filter((node) => !unread.has(node) && node.op !== "input" && node.op !== "constant");
  const sourcesOf = (node: Node): readonly Node[] => (products.has(node) ? [node.inputs[0]!, ...node.inputs[1]!.inputs] : node.inputs);
  const last = new Map<Node, number>();
  for (const [i, node] of steps.entries()) for (const input of sourcesOf(node)) last.set(memoryOf(input), i);

  const bytesFor = (node: Node): number =>
    given.has(node) || memoryOf(node) !== node || node.op === "constant"
      ? 0
      : (node.types ?? [node.type]).reduce((sum, type) => sum + bytesOf(type, sizes), 0);
  let live = 0;
  let most = 0;
  for (const [i, node] of steps.entries()) {
    const ends = [...new Set(sourcesOf(node).map(memoryOf))].filter((input) => last.get(input) === i && !given.has(input));
    const own = bytesFor(node);
    const inside = products.has(node) ? unpackedBytes(node.inputs[1]!, sizes) : heldBy(node, sizes);
    const reused = own > 0 && isMap(node) && ends.some((input) => bytesFor(input) === own);
    live += reused ? 0 : own;
    most = Math.max(most, live + inside);
    for (const [k, input] of ends.entries()) live -= reused && k === ends.findIndex((one) => bytesFor(one) === own) ? 0 : bytesFor(input);
  }
  const copies = outputs.reduce((sum, node) => sum + bytesOf(node.type, sizes), 0);
  return Math.max(most, copies);
};

/** Inputs before what reads them, one branch after the other. */
const depthFirst = (outputs: readonly Node[]): Node[] => {
  const seen = new Set<Node>();
  const order: Node[] = [];
  const stack = [...outputs].reverse().map((node) => ({ node, entered: false }));
  while (stack.length > 0) {
    const { node, entered } = stack.pop()!;
    if (entered) order.push(node);
    else if (!seen.has(node)) {
      seen.add(node);
      stack.push({ node, entered: true }, ...[...node.inputs].reverse().map((input) => ({ node: input, entered: false })));
    }
  }
  return order;
};

/** The node whose memory this one is a view of. */
const memoryOf = (node: Node): Node =>
  node.op === "reshape" || node.op === "pick" || node.op === "stop_gradient" ? memoryOf(node.inputs[0]!) : node;

const isMap = (node: Node): boolean => ops.get(node.op)?.wgsl?.form === "map";

const unpackedBytes = (decode: Node, sizes: Sizes): number => bytesOf(decode.type, sizes);

const heldBy = (node: Node, sizes: Sizes): number => {
  const size = bytesOf(node.type, sizes);
  if (node.op === "decode") return size;
  if (node.op !== "attention" && node.op !== "attention_gradient") return 0;
  const [b, t, h] = node.inputs[0]!.type.shape;
  const [, s] = node.inputs[1]!.type.shape;
  const scores = bytesOf({ dtype: "f32", shape: [b!, h!, t!, s!] }, sizes);
  return node.op === "attention" ? (2 * scores) / 4 + 3 * size : (4 * scores) / 4 + 4 * size;
};
