// A format -> the graph that stores a tensor in it, for values that are stored anew while a job runs: an optimizer's state. In: a flat
// tensor of whole blocks. Out: the pieces that `decoded` (format.ts) reads, by what is added to the tensor's name.
//
// The host stores a base (runtime/formats/encode.ts) from the same text. What it may use and this may not, `unstorable` says.

import type { Graph, Node } from "../graph/graph.ts";
import { createGraph } from "../graph/graph.ts";
import { interpret } from "../graph/interpret.ts";
import type { FormatPlan } from "./format.ts";

/** Why a format cannot store what changes block by block; undefined where it can. */
export const unstorable = (format: FormatPlan): string | undefined => {
  if (format.code.kind === "plain") return `it keeps ${format.code.dtype} numbers; state is kept in f32, or as codes of 4 or 8 bits`;
  if (format.block === undefined) return "it has no `block`: its blocks are rows, and state has none";
  if (format.job.nodes.some(({ op, name }) => op === "input" && name === "all"))
    return "it needs the whole tensor at once, and state changes a part at a time";
  if (format.states.some((state) => state.format)) return "it keeps numbers of its own in another format";
  return undefined;
};

/** The pieces of x, [n] with n a multiple of the block. */
export const encoded = (graph: Graph, format: FormatPlan, x: Node): ReadonlyMap<string, Node> => {
  if (format.code.kind === "plain") throw new Error(`${format.label} has no codes`);
  const elements = Number(x.type.shape[0]);
  const blocks = elements / format.block!;
  const { nodes, state, code } = format.job;
  const inputs = new Map([["x", graph.add("reshape", [x], { shape: [blocks, format.block!] })]]);
  const made = new Map<number, Node>();
  const of = (place: number): Node => {
    const known = made.get(place);
    if (known) return known;
    const { op, inputs: from, name, value, ...attrs } = nodes[place]!;
    const node =
      op === "input"
        ? inputs.get(name!)!
        : op === "constant"
          ? graph.constant(value!)
          : graph.add(op, from.map(of), op === "largest" ? { axes: [1], keep: true } : attrs);
    made.set(place, node);
    return node;
  };
  // In their order: a state may be computed from those before it.
  for (const { name, first } of state) inputs.set(name, of(first));
  const pieces = new Map([[".code", packed(graph, of(code), elements, format.code)]]);
  for (const { name } of state) pieces.set(`.${name}`, graph.add("reshape", [inputs.get(name)!], { shape: [blocks] }));
  return pieces;
};

/** Codes as bytes: two's complement, two of 4 bits in one, the first in the high half. */
const packed = (
  graph: Graph,
  codes: Node,
  elements: number,
  { bits, signed }: { readonly bits: 4 | 8; readonly signed: boolean },
): Node => {
  const numbers = codes.type.dtype === "f32" ? codes : graph.add("cast", [codes], { dtype: "f32" });
  const zero = graph.constant(0);
  const wrapped = signed
    ? graph.add("select", [graph.add("less", [numbers, zero]), graph.add("add", [numbers, graph.constant(2 ** bits)]), numbers])
    : numbers;
  const bytes = (of: Node, count: number): Node => graph.add("reshape", [graph.add("cast", [of], { dtype: "u8" })], { shape: [count] });
  if (bits === 8) return bytes(wrapped, elements);
  const pairs = graph.add("reshape", [wrapped], { shape: [elements / 2, 2] });
  const half = (i: number): Node => graph.add("slice", [pairs], { axis: 1, from: i, to: i + 1 });
  return bytes(graph.add("add", [graph.add("mul", [half(0), graph.constant(16)]), half(1)]), elements / 2);
};

/** What every element of each piece is when every element of the tensor is `value`. */
export const encodedConstant = (format: FormatPlan, value: number): ReadonlyMap<string, number> => {
  const graph = createGraph();
  const pieces = encoded(graph, format, graph.constant(value, [2 * format.block!]));
  const tensors = interpret([...pieces.values()], {});
  return new Map([...pieces.keys()].map((suffix, i) => [suffix, tensors[i]!.data[0]!]));
};
