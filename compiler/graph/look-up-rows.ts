// Graph -> the same graph where rows of a packed table are looked up before they are unpacked: gather(decode(codes), ids) unpacks a table
// of thousands of rows for a handful. Scales are looked up with the rows, through whatever they are computed by and packed in.
//
// Invariant: the same numbers. A table whose blocks neither divide a row nor hold whole rows is left as it was.

import { codingOf } from "../ops/decode.ts";
import { ops } from "../ops/index.ts";
import { isConcrete } from "../values/dims.ts";
import type { Graph, Node } from "./graph.ts";
import { substitute } from "./segments.ts";

export const lookUpRows = (graph: Graph, outputs: readonly Node[]): readonly Node[] =>
  substitute(graph, outputs, new Map(), (node, [table, ids]) => {
    if (node.op !== "gather" || table?.op !== "decode" || !ids) return undefined;
    const [rows, width] = table.type.shape as [number, number];
    return rowsOf(graph, table, ids, rows, width);
  }) ?? outputs;

/** Rows of a tensor seen as [rows, width], as [.. of ids, width]; undefined where they cannot be had without the whole. */
const rowsOf = (graph: Graph, node: Node, ids: Node, rows: number, width: number): Node | undefined => {
  const size = node.type.shape.every(isConcrete) ? node.type.shape.reduce<number>((a, b) => a * Number(b), 1) : undefined;
  if (size !== rows * width) return undefined;
  if (node.op === "decode") {
    const { block, bits, signed, table } = codingOf(node.attrs);
    if ((width * bits) % 8 !== 0) return undefined;
    const [codes, ...states] = node.inputs;
    const parts = states.map((state) => {
      if (width % block === 0) return rowsOf(graph, state, ids, rows, width / block);
      if (block % width !== 0) return undefined;
      const of = graph.add("quotient", [ids, graph.constant(block / width, [], "i32")]);
      return rowsOf(graph, state, of, Math.ceil((rows * width) / block), 1);
    });
    if (parts.some((part) => part === undefined)) return undefined;
    return graph.add("decode_rows", [codes!, ids, ...(parts as Node[])], { rows, width, bits, signed, table });
  }
  if (node.op === "input" && node.type.dtype === "f32")
    return graph.add("gather", [graph.add("reshape", [node], { shape: [rows, width] }), ids]);
  if (node.op === "broadcast" && node.inputs[0]!.type.shape.length === 0)
    return graph.add("broadcast", [node.inputs[0]!], { shape: [...ids.type.shape, width] });
  if (ops.get(node.op)?.wgsl?.form !== "map" || node.type.dtype !== "f32") return undefined;
  const inputs = node.inputs.map((input) => (input.type.shape.length === 0 ? input : rowsOf(graph, input, ids, rows, width)));
  return inputs.some((input) => input === undefined) ? undefined : graph.add(node.op, inputs as Node[], node.attrs, node.origin);
};
