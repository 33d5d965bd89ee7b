// A program that computes in f32 -> the same program that computes in f16: operands of matrix products are rounded to f16 and their sums
// stay f32, and what crosses from one call to another is stored in 16 bits. Everything inside a call that is no product stays f32, as do
// the program's own inputs and results: parameters, gradients of parameters, the loss.
//
// Invariant: the order of calls and the names of values do not change. What an op gives beside its first result (a row's statistics)
// stays f32: eleven bits of a logarithm are too few for the exponential that undoes it.

import { createGraph, type Node, reachable, type SegmentGraph } from "../graph/graph.ts";
import { isHalf } from "../kernels/kernels.ts";
import { ops } from "../ops/index.ts";
import type { ProgramGraph } from "./programs.ts";

export const inHalves = (program: ProgramGraph): ProgramGraph => {
  const narrow = narrowValues(program);
  const done = new Map<string, SegmentGraph>();
  const places = new Map<SegmentGraph, number>();
  const steps = program.steps.map(({ segment, inputs, outputs }) => {
    if (!places.has(segment)) places.set(segment, places.size);
    const [read, written] = [inputs, outputs].map((names) => names.map((name) => narrow.has(name)));
    const key = [places.get(segment), ...read!, ...written!].join();
    const halved = done.get(key) ?? halve(segment, read!, written!);
    done.set(key, halved);
    return { segment: halved, inputs, outputs };
  });
  const values = new Map([...program.values].map(([name, type]) => [name, narrow.has(name) ? { ...type, dtype: "f16" as const } : type]));
  return { ...program, steps, values };
};

/** What one call writes for another: activations, what the backward pass keeps of them, and their gradients. */
const narrowValues = ({ steps, values, inputs, outputs }: ProgramGraph): ReadonlySet<string> => {
  const ends = new Set([...inputs, ...outputs]);
  const wide = new Set<string>();
  // Sums of a result's parts are the result's.
  for (const { segment, outputs: names } of steps)
    for (const [i, { node }] of segment.outputs.entries())
      if ((node.op === "pick" && node.attrs.index !== 0) || ends.has(names[i]!.replace(/\+\d+$/, ""))) wide.add(names[i]!);
  return new Set([...values].flatMap(([name, { dtype }]) => (dtype === "f32" && !ends.has(name) && !wide.has(name) ? [name] : [])));
};

const halve = (segment: SegmentGraph, read: readonly boolean[], written: readonly boolean[]): SegmentGraph => {
  const graph = createGraph();
  const copies = new Map<Node, Node>();
  const inputs = segment.inputs.map(({ name, node }, i) => {
    const own = graph.input(name, read[i] ? { ...node.type, dtype: "f16" } : node.type, node.origin);
    copies.set(node, read[i] ? graph.add("cast", [own], { dtype: "f32" }) : own);
    return { name, node: own };
  });
  for (const node of reachable(segment.outputs.map((output) => output.node))) {
    if (copies.has(node)) continue;
    const from = node.inputs.map((input) => copies.get(input)!);
    if (node.op === "constant") copies.set(node, graph.constant(node.attrs.value as number, node.type.shape, node.type.dtype));
    else if (node.op === "pick") copies.set(node, graph.pick(from[0]!, node.attrs.index as number));
    else copies.set(node, graph.add(node.op, from, multiplies(node) ? { ...node.attrs, half: true } : node.attrs, node.origin));
  }
  const outputs = segment.outputs.map(({ name, node }, i) => {
    const made = copies.get(node)!;
    return { name, node: written[i] ? graph.add("cast", [made], { dtype: "f16" }) : made };
  });
  return { name: segment.name, inputs, outputs };
};

const multiplies = (node: Node): boolean => ops.get(node.op)?.wgsl?.form === "contraction" && !isHalf(node);
