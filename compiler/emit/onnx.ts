// Segment graph -> bytes of one ONNX model. Symbols become named dimensions; every weight is an input; outputs are the ports.
// Each op prints itself (its `onnx`); what is here joins them. Rewrites that cross ops: slices of one tensor (a fused
// query-key-value product) have as gradient a sum of padded parts, which is their concatenation; a matrix and a product that is
// added to it are one Gemm.

import { expand } from "../graph/expand.ts";
import { type Node, reachable, type SegmentGraph } from "../graph/graph.ts";
import { printOperands } from "../ops/half.ts";
import { ops } from "../ops/index.ts";
import { add, type Dim } from "../values/dims.ts";
import { engineProducts, printProduct } from "./onnx-decode.ts";
import { writtenOrder } from "./onnx-order.ts";
import { encodeModel, type OnnxNode, type OnnxValue } from "./onnx-proto.ts";
import { findSums } from "./onnx-sums.ts";
import { codeOf, createOnnxWriter } from "./onnx-writer.ts";

const OPSET = 23;

export const emitOnnx = (whole: SegmentGraph): Uint8Array => {
  const segment = expand(whole);
  const results = segment.outputs.map(({ node }) => node);
  const order = writtenOrder(reachable(results), results);
  const taken = new Set<string>();
  for (const user of order) {
    for (const input of user.inputs) taken.add(`${input.id}:${user.op === "pick" ? user.attrs.index : 0}`);
  }
  for (const { node } of segment.outputs) taken.add(`${node.id}:0`);

  const ports = segment.inputs.map(({ name, node }) => ({ name, shape: node.type.shape }));
  const { writer, nodes, constants } = createOnnxWriter(ports, (node, output) => taken.has(`${node.id}:${output}`));

  const names = new Map<Node, readonly string[]>();
  for (const { name, node } of segment.inputs) names.set(node, [name]);
  const nameOf = (node: Node): string => names.get(node)![0]!;
  const { joins, absorbed } = findJoins(order, results);
  const { products, unread } = engineProducts(order, results);
  const sums = findSums(order, results);
  const added = new Set([...sums.values()].map(({ product }) => product));
  for (const node of order) {
    if (names.has(node) || absorbed.has(node) || unread.has(node) || added.has(node)) continue;
    const sum = sums.get(node);
    if (sum) {
      const { transpose_a, transpose_b } = sum.product.attrs;
      const operands = [...printOperands(writer, sum.product.inputs.map(nameOf), sum.product.attrs), nameOf(sum.matrix)];
      names.set(node, [writer.node("Gemm", operands, { transA: transpose_a ? 1 : 0, transB: transpose_b ? 1 : 0 })]);
      continue;
    }
    if (products.has(node)) {
      const [codes, scale] = node.inputs[1]!.inputs;
      names.set(node, [printProduct(writer, node, nameOf(node.inputs[0]!), nameOf(codes!), nameOf(scale!))]);
      continue;
    }
    const join = joins.get(node);
    if (join) {
      names.set(node, [writer.node("Concat", join.parts.map(nameOf), { axis: join.axis })]);
      continue;
    }
    if (node.op === "input") throw new Error(`input ${String(node.attrs.name)} is not a port of segment ${segment.name}`);
    if (node.op === "pick") names.set(node, [names.get(node.inputs[0]!)![node.attrs.index as number]!]);
    else names.set(node, ops.get(node.op)!.onnx(writer, node.inputs.map(nameOf), node));
  }

  const port = ({ name, node }: SegmentGraph["inputs"][number]): OnnxValue => ({
    name,
    // ONNX Runtime's JavaScript has no bf16; its bits come as whole numbers, which `cast` knows.
    type: codeOf(node.type.dtype === "bf16" ? "u16" : node.type.dtype),
    // Packed codes have sizes of their own name each: what is unpacked from known ones, ONNX Runtime would keep for the next matrix of equal
    // size, however late that comes.
    shape: node.type.dtype === "u8" ? node.type.shape.map((_, axis) => `${name} ${axis}`) : node.type.shape,
  });
  return encodeModel({
    name: segment.name,
    opsets: [
      { domain: "", version: OPSET },
      { domain: "com.microsoft", version: 1 },
    ],
    inputs: segment.inputs.map(port),
    outputs: segment.outputs.map(port),
    constants,
    nodes: nameOutputs(
      nodes,
      segment.outputs.map(({ name, node }) => ({ name, value: nameOf(node) })),
    ),
  });
};

/** Sums of padded tensors that lie side by side and fill the axis: node -> the tensors in order. What only they use is absorbed. */
const findJoins = (order: readonly Node[], outputs: readonly Node[]) => {
  const uses = new Map<Node, number>();
  for (const node of [...order.flatMap((user) => user.inputs), ...outputs]) uses.set(node, (uses.get(node) ?? 0) + 1);
  const joins = new Map<Node, { readonly parts: readonly Node[]; readonly axis: number }>();
  const absorbed = new Set<Node>();
  for (const node of [...order].reverse()) {
    if (node.op !== "add" || absorbed.has(node)) continue;
    const inner: Node[] = [];
    const pads: Node[] = [];
    const collect = (part: Node): boolean => {
      if (part !== node && uses.get(part) !== 1) return false;
      if (part !== node) inner.push(part);
      if (part.op === "pad") pads.push(part);
      else if (part.op !== "add" || !part.inputs.every(collect)) return false;
      return true;
    };
    if (!collect(node)) continue;
    const axis = pads[0]!.attrs.axis as number;
    const parts: Node[] = [];
    let end: Dim = 0;
    const following = () => pads.find((pad) => pad.attrs.before === end && pad.attrs.axis === axis);
    for (let next = following(); next && parts.length < pads.length; next = following()) {
      parts.push(next.inputs[0]!);
      end = add(end, next.inputs[0]!.type.shape[axis]!);
    }
    if (parts.length !== pads.length || end !== node.type.shape[axis]) continue;
    joins.set(node, { parts, axis });
    for (const gone of inner) absorbed.add(gone);
  }
  return { joins, absorbed };
};

/** Gives each output port's value the port's name; a value that is an input, a constant or already named is copied. */
const nameOutputs = (nodes: readonly OnnxNode[], outputs: readonly { readonly name: string; readonly value: string }[]): OnnxNode[] => {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const renamed = new Map<string, string>();
  const copies: OnnxNode[] = [];
  for (const { name, value } of outputs) {
    if (made.has(value) && !renamed.has(value)) renamed.set(value, name);
    else copies.push({ op: "Identity", domain: "", inputs: [value], outputs: [name], attrs: {} });
  }
  const rename = (name: string): string => renamed.get(name) ?? name;
  return [...nodes, ...copies].map((node) => ({ ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) }));
};
