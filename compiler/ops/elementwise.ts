// Builds the ops that compute one output element from the input elements at the same (broadcast) index. An op gives its
// scalar function, its derivative as nodes and its two spellings; type rule, broadcasting and its reverse are the same for all.

import type { OnnxWriter } from "../emit/onnx-writer.ts";
import type { Attrs, DType, Graph, Node } from "../graph/graph.ts";
import type { Op } from "../graph/op.ts";
import { widen } from "../unfold/lift.ts";
import { broadcastShape, broadcastStrides, numbers, positions, refuse, show, sumTo } from "./shape.ts";

/** Spells derivatives: `m.mul(a, b)`, `m.exp(x)`, `m.number(0.5)`. */
export interface Math {
  readonly number: (value: number) => Node;
  readonly op: (name: string, ...args: readonly Node[]) => Node;
}

interface MapSpec {
  readonly name: string;
  readonly doc: string;
  /** Argument names; their number is the op's. */
  readonly args: readonly string[];
  /** Dtype of the result, default the arguments' own. */
  readonly result?: DType;
  /** Arguments that must be floating point; default all. */
  readonly whole?: boolean;
  readonly f: (...args: readonly number[]) => number;
  /** Gradient to each argument before broadcasting is undone; called only for the wanted ones. Absent: not differentiable. */
  readonly derivative?: readonly (((m: Math, d: Node, args: readonly Node[], y: Node) => Node) | undefined)[];
  readonly onnx: string | ((write: OnnxWriter, args: readonly string[], node: Node) => string);
  readonly wgsl: (args: readonly string[], attrs: Attrs) => string;
  /** WGSL functions that the expression calls. */
  readonly prelude?: string;
  /** What a WGSL contraction may absorb of it. */
  readonly algebra?: "sum" | "product";
}

export const mathOf = (graph: Graph): Math => ({
  number: (value) => graph.constant(value),
  op: (name, ...args) => graph.add(name, args),
});

export const mapOp = (spec: MapSpec): Op => {
  const { name, args, derivative, onnx } = spec;
  return {
    name,
    doc: spec.doc,
    call: { tensors: args },
    type: (inputs) => {
      if (inputs.length !== args.length)
        return refuse(`${name} takes ${args.length === 1 ? "one tensor" : `${args.length} tensors`}, not ${inputs.length}`);
      const dtype = inputs.at(-1)!.dtype;
      const odd = inputs.find((t) => t.dtype !== dtype);
      if (odd)
        return refuse(`${name} needs its arguments in one dtype, not ${inputs[0]!.dtype} and ${inputs.at(-1)!.dtype}: cast one of them`);
      if (!spec.whole && dtype !== "f32" && dtype !== "f16")
        return refuse(`${name} is for floating-point tensors, not ${dtype}: cast it to f32`);
      const shape = broadcastShape(...inputs.map((t) => t.shape));
      if (!shape)
        return refuse(`${name}: shapes ${inputs.map((t) => show(t.shape)).join(" and ")} do not fit; each axis must be equal or 1`);
      return { dtype: spec.result ?? dtype, shape };
    },
    ...(derivative && {
      gradient: ({ graph, node, d, wants }) =>
        node.inputs.map((input, i) => {
          const of = derivative[i];
          if (!wants[i] || !of || !d[0]) return undefined;
          return sumTo(graph, of(mathOf(graph), d[0], node.inputs, node), input.type.shape);
        }),
    }),
    lift: ({ graph, node, inputs: own }) =>
      graph.add(
        name,
        own.map((input) => (input.lifted ? widen(graph, input.node, node.type.shape.length) : input.node)),
        node.attrs,
        node.origin,
      ),
    eval: (inputs, _attrs, types) => {
      const shape = numbers(types[0]!.shape);
      const places = inputs.map((t) => positions(shape, broadcastStrides(t.shape, shape)));
      const data = new Float64Array(places[0]!.length);
      for (let i = 0; i < data.length; i++) data[i] = spec.f(...inputs.map((t, k) => t.data[places[k]![i]!]!));
      return [{ shape, data }];
    },
    onnx: (write, names, node) => [typeof onnx === "string" ? write.node(onnx, names) : onnx(write, names, node)],
    wgsl: {
      form: "map",
      expression: spec.wgsl,
      ...(spec.prelude === undefined ? {} : { prelude: spec.prelude }),
      ...(spec.algebra && { algebra: spec.algebra }),
    },
  };
};
