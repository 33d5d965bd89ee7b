// Segment graph -> bytes of one ONNX model. Symbols become named dimensions; every weight is an input; outputs are the ports.
// Each op prints itself (its `onnx`); what is here joins them.

import { type Node, reachable, type SegmentGraph } from "../graph.ts";
import { ops } from "../ops/index.ts";
import { encodeModel, type OnnxNode, type OnnxValue } from "./onnx-proto.ts";
import { codeOf, createOnnxWriter } from "./onnx-writer.ts";

const OPSET = 23;

export const emitOnnx = (segment: SegmentGraph): Uint8Array => {
  const order = reachable(segment.outputs.map((o) => o.node));
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
  for (const node of order) {
    if (names.has(node)) continue;
    if (node.op === "input") throw new Error(`input ${String(node.attrs.name)} is not a port of segment ${segment.name}`);
    if (node.op === "pick") names.set(node, [names.get(node.inputs[0]!)![node.attrs.index as number]!]);
    else names.set(node, ops.get(node.op)!.onnx(writer, node.inputs.map(nameOf), node));
  }

  const port = ({ name, node }: SegmentGraph["inputs"][number]): OnnxValue => ({
    name,
    type: codeOf(node.type.dtype),
    shape: node.type.shape,
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
