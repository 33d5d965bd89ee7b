// Graph of an ONNX part -> the bytes that ONNX Runtime takes beside its inputs and outputs, at given sizes. It runs nodes
// in the order that onnx-order.ts tells and plans its memory when the graph is read: a value whose readers are done gives its memory to
// the next one whose sizes are written the same, and what none takes is freed after the last that had it. Ops that print as several
// nodes say what those hold together (`holds`). When all is computed its binding copies every output. bench/memory.ts holds the whole against
// what a process takes.

import { type Node, reachable, type SegmentGraph } from "../graph/graph.ts";
import { ops } from "../ops/index.ts";
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

  const heldBy = (node: Node): Held => {
    const product = sums.get(node)?.product ?? node;
    return ops.get(product.op)!.holds?.(product, (type) => bytesOf(type, sizes)) ?? [];
  };

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
  const bounds = steps.some(({ op }) => op === "attention" || op === "attention_gradient");
  const { inside, arena } = walk(
    // A product with codes unpacks the whole matrix once its result has its place.
    steps.map((node) => (products.has(node) ? [[], [bytesOf(node.inputs[1]!.type, sizes)]] : heldBy(node))),
    all,
    bounds,
  );
  return { inside, arena, copies: outputs.reduce((sum, node) => sum + bytesOf(node.type, sizes), 0) };
};

/**
 * The most that blocks and what nodes hold beside them take at one time, and what an arena makes of it. `held`: of each step. `bounds`: whether
 * there are chunks of attention, whose few bounds follow from whole numbers alone and so are computed before everything else.
 */
const walk = (held: readonly Held[], blocks: readonly Block[], bounds: boolean): Pick<EngineMemory, "inside" | "arena"> => {
  const arena = createArena();
  if (bounds) arena.take(1);
  const giveBack = new Map<Block, () => void>();
  let live = 0;
  let inside = 0;
  for (const [i, moments] of held.entries()) {
    // What an op's first moment holds has its place before the results, and what it becomes takes the same place.
    const [first = [], ...later] = moments;
    const own = first.map(arena.take);
    for (const sizes of moments.slice(0, -1)) inside = Math.max(inside, live + total(sizes));
    for (const block of blocks)
      if (block.from === i) {
        live += block.bytes;
        giveBack.set(block, arena.take(block.bytes));
      }
    inside = Math.max(inside, live + total(moments.at(-1) ?? []));
    if (first.length === 0) own.push(...(later.at(-1) ?? []).map(arena.take));
    for (const free of own) free();
    for (const block of blocks)
      if (block.to === i) {
        live -= block.bytes;
        giveBack.get(block)!();
      }
  }
  return { inside, arena: arena.touched() };
};

const total = (sizes: readonly number[]): number => sizes.reduce((sum, bytes) => sum + bytes, 0);

/** Bytes that a node holds at each of its moments, its results beside the last (`Op.holds`). */
type Held = readonly (readonly number[])[];

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
