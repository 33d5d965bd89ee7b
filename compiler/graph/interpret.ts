// Graph and input values -> output values: what every emitter must agree with. Each node's `eval`, in creation order, in
// double precision, at given sizes of the symbols.

import { ops } from "../ops/index.ts";
import { at, type Dim } from "../values/dims.ts";
import type { Attrs, Node, SegmentGraph, TensorType } from "./graph.ts";
import { reachable } from "./graph.ts";
import type { Op, Tensor } from "./op.ts";

export type Sizes = Readonly<Record<string, number>>;

export const concreteType = (type: TensorType, sizes: Sizes): TensorType => ({
  dtype: type.dtype,
  shape: type.shape.map((dim) => at(dim, sizes)),
});

/** Attributes with every size a number. */
export const concreteAttrs = (op: Op, attrs: Attrs, sizes: Sizes): Attrs => {
  const known: Record<string, Attrs[string]> = { ...attrs };
  for (const name of op.sizes ?? []) {
    const value = attrs[name];
    if (Array.isArray(value)) known[name] = (value as readonly Dim[]).map((dim) => at(dim, sizes));
    else if (value !== undefined) known[name] = at(value as Dim, sizes);
  }
  return known;
};

/** The values of these nodes, given the values of the inputs they need, by name. */
export const interpret = (outputs: readonly Node[], inputs: Readonly<Record<string, Tensor>>, sizes: Sizes = {}): Tensor[] => {
  const values = new Map<Node, readonly Tensor[]>();
  const first = (node: Node): Tensor => values.get(node)![0]!;
  for (const node of reachable(outputs)) {
    if (node.op === "input") {
      const name = node.attrs.name as string;
      const value = inputs[name];
      const { shape } = concreteType(node.type, sizes);
      if (!value) throw new Error(`no value for input ${name}`);
      if (value.shape.join() !== shape.join()) throw new Error(`input ${name} is [${value.shape}], not [${shape}]`);
      values.set(node, [value]);
    } else if (node.op === "pick") {
      values.set(node, [values.get(node.inputs[0]!)![node.attrs.index as number]!]);
    } else {
      const op = ops.get(node.op)!;
      const types = (node.types ?? [node.type]).map((type) => concreteType(type, sizes));
      values.set(node, op.eval(node.inputs.map(first), concreteAttrs(op, node.attrs, sizes), types));
    }
  }
  return outputs.map(first);
};

/** A segment's outputs by name. */
export const interpretSegment = (
  segment: SegmentGraph,
  inputs: Readonly<Record<string, Tensor>>,
  sizes: Sizes = {},
): Record<string, Tensor> => {
  const values = interpret(
    segment.outputs.map((o) => o.node),
    inputs,
    sizes,
  );
  return Object.fromEntries(segment.outputs.map((o, i) => [o.name, values[i]!]));
};
