// Graph of an ONNX part -> the bytes that ONNX Runtime takes beside its inputs and outputs, at given sizes. It runs nodes
// in the order that onnx-order.ts tells and plans its memory when the graph is read: a value whose readers are done gives its memory to
// the next one whose sizes are written the same, and what none takes is freed after the last that had it. Ops that print as several
// nodes say what those hold together (`held`). When all is computed its binding copies every output. bench/memory.ts holds the whole against
// what a process takes.

import { type Node, reachable, type SegmentGraph } from "../graph/graph.ts";
import { bytesOf } from "../programs/place.ts";
import { createArena } from "./engine-arena.ts";
import { engineProducts } from "./onnx-decode.ts";
import { runOrder, writtenOrder } from "./onnx-order.ts";
import { findSums } from "./onnx-sums.ts";

type Sizes = Readonly<Record<string, number>>;

export interface EngineMemory {
  /** Bytes of the values between inputs and outputs, when there are most. */
  readonly inside: number;
  /** What an arena holds that all of them went through. */
  readonly arena: number;
  /** Of the outputs, once all is computed. */
  readonly copies: number;
}

export const engineMemory = (segment: SegmentGraph, sizes: Sizes): EngineMemory => {
  const outputs = segment.outputs.map(({ node }) => node);
  const order = runOrder(writtenOrder(reachable(outputs), outputs), outputs);
  const { products, unread } = engineProducts(order, outputs);
  const sums = findSums(order, outputs);
  const added = new Set([...sums.values()].map(({ product }) => product));
  const given = new Set([...segment.inputs.map(({ node }) => node), ...outputs]);
  const steps = order.filter((node) => !unread.has(node) && !added.has(node) && node.op !== "input" && node.op !== "constant");
  const sourcesOf = (node: Node): readonly Node[] => {
    const sum = sums.get(node);
    if (sum) return [...sum.product.inputs, sum.matrix];
    return products.has(node) ? [node.inputs[0]!, ...node.inputs[1]!.inputs] : node.inputs;
  };
  const last = new Map<Node, number>();
  for (const [i, node] of steps.entries()) for (const input of sourcesOf(node)) last.set(memoryOf(input), i);

  const blocks = new Map<Node, Block>();
  const free = new Map<string, Block[]>();
  const all: Block[] = [];
  for (const [i, node] of steps.entries()) {
    if (!given.has(node) && memoryOf(node) === node) {
      const types = node.types ?? [node.type];
      // What was unpacked has sizes that the engine does not know beforehand (ops/decode.ts).
      const key = types.length > 1 || node.op === "decode" ? undefined : `${types[0]!.dtype} ${types[0]!.shape}`;
      const taken = key === undefined ? undefined : free.get(key)?.pop();
      const block = taken ?? { bytes: types.reduce((sum, type) => sum + bytesOf(type, sizes), 0), key, from: i, to: i };
      if (!taken) all.push(block);
      block.to = i;
      blocks.set(node, block);
    }
    for (const source of new Set(sourcesOf(node).map(memoryOf))) {
      const block = blocks.get(source);
      if (!block || last.get(source) !== i) continue;
      block.to = i;
      if (block.key !== undefined) free.set(block.key, [...(free.get(block.key) ?? []), block]);
    }
  }
  const { inside, arena } = walk(
    steps.map((node) => (products.has(node) ? unpackedBytes(node.inputs[1]!, sizes) : heldBy(node, sizes))),
    all,
  );
  return { inside, arena, copies: outputs.reduce((sum, node) => sum + bytesOf(node.type, sizes), 0) };
};

/** The most that blocks and what nodes hold beside them take at one time, and what an arena makes of it. `held`: of each step. */
const walk = (held: readonly number[], blocks: readonly Block[]): Pick<EngineMemory, "inside" | "arena"> => {
  const arena = createArena();
  const giveBack = new Map<Block, () => void>();
  let live = 0;
  let inside = 0;
  for (const [i, bytes] of held.entries()) {
    for (const block of blocks)
      if (block.from === i) {
        live += block.bytes;
        giveBack.set(block, arena.take(block.bytes));
      }
    inside = Math.max(inside, live + bytes);
    arena.take(bytes)();
    for (const block of blocks)
      if (block.to === i) {
        live -= block.bytes;
        giveBack.get(block)!();
      }
  }
  return { inside, arena: arena.touched() };
};

/** Memory that values have one after the other, from one step to another. */
interface Block {
  readonly bytes: number;
  /** Which values may take it; undefined: none. */
  readonly key: string | undefined;
  readonly from: number;
  to: number;
}

/** The node whose memory this one is a view of. */
const memoryOf = (node: Node): Node =>
  node.op === "reshape" || node.op === "pick" || node.op === "stop_gradient" ? memoryOf(node.inputs[0]!) : node;

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
