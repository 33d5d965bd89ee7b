// Segment graph -> what the cpu device runs: ONNX graphs, and between them WebAssembly kernels for nodes that ONNX Runtime has
// no fast form of (spec/decisions/0053). A node goes into the earliest graph that has what it reads, so the order is a count of
// the kernels above it; what a later part needs lies between.

import type { Dim, OnnxPart, SegmentPart, TensorType, Value } from "../../spec/job.ts";
import { expand } from "../graph/expand.ts";
import { type Node, reachable, type SegmentGraph } from "../graph/graph.ts";
import { cut } from "../graph/segments.ts";
import { softcapOf } from "../ops/attention.ts";
import { memorySlots } from "../ops/memory-slots.ts";
import { aligned, bytesOf, type Life, pack } from "../programs/place.ts";
import { engineMemory } from "./engine-memory.ts";
import { emitOnnx } from "./onnx.ts";
import { attentionScratch, emitAttention } from "./wasm-attention.ts";

/** Wider heads fill a matrix product, and ONNX Runtime's are faster (`npx tsx bench/attention.ts`). */
const widestHead = 32;

/** Attention of a sequence to itself with narrow heads and plain scores. */
const isNarrow = (node: Node, widest: number): boolean => {
  if (node.op !== "attention" && node.op !== "attention_gradient") return false;
  const [, t, h, d] = node.inputs[0]!.type.shape;
  const [, s, g] = node.inputs[1]!.type.shape;
  const biased = node.inputs.length > (node.op === "attention" ? 4 : 7);
  const known = typeof h === "number" && typeof g === "number" && typeof d === "number";
  if (!known || t !== s || typeof t === "number" || biased || softcapOf(node.attrs) || memorySlots(node.attrs) > 0) return false;
  return d % 4 === 0 && d <= widest;
};

export interface Emitted {
  readonly parts: readonly SegmentPart[];
  readonly between: Readonly<Record<string, Value>>;
  /** Bytes of the arena "parts". */
  readonly bytes: number;
  readonly files: readonly (readonly [path: string, bytes: Uint8Array])[];
}

/**
 * With its arena a session keeps what its intermediates took, so what a job holds is the sum over its sessions, not the largest; without
 * one the system zeroes fresh pages on every run, which small blocks feel. So sessions whose values take at most this much keep their memory.
 */
const keptBytes = 8 * 2 ** 20;

const engineOf = (segment: SegmentGraph, sizes: Readonly<Record<string, number>>): Pick<OnnxPart, "engine" | "keeps"> => {
  const { inside, arena, copies } = engineMemory(expand(segment), sizes);
  return inside <= keptBytes ? { engine: copies, keeps: arena } : { engine: Math.max(inside, copies), keeps: 0 };
};

export interface PartsOptions {
  /** The largest of every symbol. */
  readonly sizes: Readonly<Record<string, number>>;
  /** The same of what one engine computes at a time: all rows, or a lane's share. */
  readonly engineSizes?: Readonly<Record<string, number>>;
  /** Whether all threads work on a kernel at once. */
  readonly shared: boolean;
  /** Wider heads have no kernel. */
  readonly widest?: number;
}

/** The parts of one segment and their files. */
export const emitParts = (
  whole: SegmentGraph,
  id: string,
  { sizes, engineSizes = sizes, shared, widest = widestHead }: PartsOptions,
): Emitted => {
  const segment = expand(whole);
  const order = reachable(segment.outputs.map(({ node }) => node));
  const kernels = new Set(order.filter((node) => isNarrow(node, widest)));
  if (kernels.size === 0) {
    const path = `graphs/${id}.onnx`;
    const ends = { inputs: segment.inputs.map(({ name }) => name), outputs: segment.outputs.map(({ name }) => name) };
    return {
      parts: [{ onnx: path, ...engineOf(segment, engineSizes), ...ends }],
      between: {},
      bytes: 0,
      files: [[path, emitOnnx(segment)]],
    };
  }

  const stages = stagesOf(segment, order, kernels);
  const stageOf = (node: Node): number => stages.get(node)!;

  const types = new Map<string, TensorType>();
  const names = new Map([...segment.inputs, ...segment.outputs].map(({ name, node }) => [keyOf(node), name]));
  // Equal results are one node and yet several ports: the gradients of two shifts that are added to one stream.
  const again = segment.outputs.filter(({ name, node }) => names.get(keyOf(node)) !== name);
  /** The port, or else a value between parts, which gets its name here. */
  const nameOf = (key: string, type: TensorType): string => {
    const known = names.get(key);
    if (known !== undefined) return known;
    const name = `~${types.size}`;
    types.set(name, type);
    names.set(key, name);
    return name;
  };
  /** What a graph reads of what others computed. Constants and other shapes are made again where they are needed. */
  const readBy = (outputs: readonly Node[], own: number): Node[] => {
    const seen = new Set<Node>();
    const visit = (node: Node): Node[] => {
      if (seen.has(node) || node.op === "constant") return [];
      seen.add(node);
      return stageOf(node) < own && node.op !== "reshape" ? [node] : node.inputs.flatMap(visit);
    };
    return outputs.flatMap(visit);
  };

  // From the last stage to the first: a stage gives what those after it read.
  const given = new Set(segment.outputs.map(({ node }) => node));
  const parts: SegmentPart[] = [];
  const files: [string, Uint8Array][] = [];
  const add = (part: SegmentPart, path: string, bytes: Uint8Array): void => {
    parts.unshift(part);
    files.unshift([path, bytes]);
  };
  const copied = again.filter(({ node }) => stageOf(node) % 2 !== 0 && stageOf(node) > 0);
  if (copied.length > 0) {
    const inputs = new Map(copied.map(({ node }) => [node, nameOf(keyOf(node), node.type)]));
    const graph = cut({ name: `${segment.name}.again`, inputs, outputs: copied });
    const path = `graphs/${id}.${files.length}.onnx`;
    add(
      { onnx: path, ...engineOf(graph, engineSizes), inputs: [...inputs.values()], outputs: copied.map(({ name }) => name) },
      path,
      emitOnnx(graph),
    );
  }
  for (let own = Math.max(...stages.values()); own >= 0; own--) {
    if (own % 2) {
      for (const node of [...kernels].filter((one) => stageOf(one) === own).reverse()) {
        const sources = node.inputs.map(bare);
        for (const source of sources) given.add(source);
        const [b, t, , d] = node.inputs[0]!.type.shape as [Dim, string, Dim, number];
        const path = `graphs/${id}.${files.length}.wasm`;
        const ends = {
          inputs: sources.map((source) => nameOf(keyOf(source), source.type)),
          outputs: (node.types ?? [node.type]).map((type, index) => nameOf(`${node.id}:${index}`, type)),
        };
        add(
          { wasm: path, scratch: attentionScratch(d, sizes[t]!), sizes: [b, t], ...ends },
          path,
          emitAttention(node, { most: sizes[t]!, shared }),
        );
      }
      continue;
    }
    const results = [...given].filter(
      (node) => stageOf(node) === own || (own === 0 && segment.outputs.some((one) => one.node === node && stageOf(node) < 0)),
    );
    if (results.length === 0) continue;
    const ends = readBy(results, own);
    for (const end of ends) given.add(end);
    const graph = cut({
      name: `${segment.name}.${own}`,
      inputs: new Map(ends.map((node) => [node, nameOf(keyOf(node), node.type)])),
      outputs: results
        .sort((a, b) => a.id - b.id)
        .flatMap((node) => [{ name: nameOf(keyOf(node), node.type), node }, ...again.filter((one) => one.node === node)]),
    });
    const path = `graphs/${id}.${files.length}.onnx`;
    add(
      {
        onnx: path,
        ...engineOf(graph, engineSizes),
        inputs: graph.inputs.map(({ name }) => name),
        outputs: graph.outputs.map(({ name }) => name),
      },
      path,
      emitOnnx(graph),
    );
  }
  return { parts, files, ...layBetween(parts, types, sizes) };
};

/**
 * Which part computes each node: 2·k is an ONNX graph, 2·k + 1 the kernels that follow it, -1 the ports. The earliest graph that has
 * what a node reads; but the first that uses it where that is later and the node reads ports or other such nodes alone, as what
 * is made of weights (a folded adapter) would lie between for nothing.
 */
const stagesOf = (segment: SegmentGraph, order: readonly Node[], kernels: ReadonlySet<Node>): ReadonlyMap<Node, number> => {
  const isResult = (node: Node): boolean => node.op === "pick" && kernels.has(node.inputs[0]!);
  const earliest = new Map<Node, number>(segment.inputs.map(({ node }) => [node, -1]));
  for (const node of order) {
    if (earliest.has(node)) continue;
    const above = Math.max(-1, ...node.inputs.map((input) => earliest.get(input)!));
    const graph = above % 2 ? above + 1 : above;
    earliest.set(node, kernels.has(node) ? graph + 1 : isResult(node) ? above : graph);
  }
  const stays = new Set<Node>([...segment.outputs.map(({ node }) => node), ...kernels, ...order.filter(isResult)]);
  const isFree = (node: Node): boolean => node.op === "constant" || earliest.get(node)! < 0;
  for (;;) {
    // Users before what they use.
    const stages = new Map(earliest);
    const first = new Map<Node, number>();
    for (const node of [...order].reverse()) {
      if (!isFree(node) && !stays.has(node) && first.has(node)) stages.set(node, first.get(node)!);
      const needed = kernels.has(node) ? stages.get(node)! - 1 : stages.get(node)!;
      for (const input of node.inputs) first.set(input, Math.min(first.get(input) ?? needed, needed));
    }
    const moved = (node: Node): boolean => stages.get(node)! > earliest.get(node)!;
    const early = order.filter(
      (node) => moved(node) && !node.inputs.every((input) => isFree(input) || stages.get(input) === stages.get(node)),
    );
    if (early.length === 0) return stages;
    for (const node of early) stays.add(node);
  }
};

/** One for each value: the first output of a node is the node itself, too. */
const keyOf = (node: Node): string => (node.op === "pick" ? `${node.inputs[0]!.id}:${node.attrs.index}` : `${node.id}:0`);

/** A kernel reads memory, whatever the shape. */
const bare = (node: Node): Node => (node.op === "reshape" ? bare(node.inputs[0]!) : node);

/** Each value lives from the part that gives it to the last that reads it. */
const layBetween = (
  parts: readonly SegmentPart[],
  types: ReadonlyMap<string, TensorType>,
  sizes: Readonly<Record<string, number>>,
): Pick<Emitted, "between" | "bytes"> => {
  const lives = new Map<string, Life>();
  for (const [i, part] of parts.entries())
    for (const name of [...part.inputs, ...part.outputs]) {
      const type = types.get(name);
      if (type) lives.set(name, { first: lives.get(name)?.first ?? i, last: i, bytes: aligned(bytesOf(type, sizes)) });
    }
  const { offsets, bytes } = pack(lives);
  const between = [...types].map(([name, type]): [string, Value] => [
    name,
    { ...type, place: { arena: "parts", offset: offsets.get(name)! } },
  ]);
  return { between: Object.fromEntries(between), bytes };
};
