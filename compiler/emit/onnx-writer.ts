// What an op sees when it prints itself as ONNX: names go in, names come out. The writer keeps the nodes, shares equal
// constants and equal nodes, and turns symbolic sizes into values that the graph computes from the shapes of its own inputs.

import type { Dim, DType, Node } from "../graph/graph.ts";
import { terms } from "../values/dims.ts";
import type { OnnxNode, OnnxTensor } from "./onnx-proto.ts";

/** A whole number is an int attribute; `{ float }` says that a number is a float one. */
export type OnnxAttr = number | readonly number[] | string | { readonly float: number };

export type OnnxAttrs = Readonly<Record<string, OnnxAttr>>;

export interface OnnxWriter {
  /** Adds a node and returns the name of its first output. "com.microsoft.Name" takes the op from that domain. */
  readonly node: (op: string, inputs: readonly string[], attrs?: OnnxAttrs) => string;
  /** A node with several outputs; an output whose flag is false is left out, and its name is "". */
  readonly nodes: (op: string, inputs: readonly string[], attrs: OnnxAttrs, outputs: readonly boolean[]) => readonly string[];
  /** A constant: a scalar, or a tensor of the given shape (by default a vector). */
  readonly constant: (values: number | readonly number[], dtype?: DType | "i64", shape?: readonly number[]) => string;
  /** An int64 vector holding these sizes. */
  readonly shape: (dims: readonly Dim[]) => string;
  /** The tensor, whose shape is `from`, under the shape `to`. No node when they are equal. */
  readonly reshape: (name: string, from: readonly Dim[], to: readonly Dim[]) => string;
  /** Whether anything takes this output of the node. */
  readonly used: (node: Node, output: number) => boolean;
  /** ONNX's number for a dtype. */
  readonly code: (dtype: DType | "i64" | "bool" | "u16") => number;
}

const codes = { f32: 1, u8: 2, u16: 4, i32: 6, i64: 7, bool: 9, f16: 10, u32: 12, bf16: 16 } as const;

export const codeOf: OnnxWriter["code"] = (dtype) => codes[dtype];

const halfBits = (value: number): number => {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  if (!(magnitude < 65520)) return sign | (Number.isNaN(value) ? 0x7e00 : 0x7c00);
  if (magnitude < 2 ** -14) return sign | roundEven(magnitude * 2 ** 24);
  const exponent = Math.floor(Math.log2(magnitude));
  const fraction = roundEven((magnitude / 2 ** exponent - 1) * 1024);
  return sign | (((exponent + 15) << 10) + fraction);
};

const roundEven = (value: number): number => {
  const whole = Math.floor(value);
  const rest = value - whole;
  return rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? whole + 1 : whole;
};

const bytesOf = (values: readonly number[], dtype: DType | "i64"): Uint8Array => {
  const of = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  switch (dtype) {
    case "f32":
      return of(Float32Array.from(values));
    case "i64":
      return of(BigInt64Array.from(values, BigInt));
    case "i32":
      return of(Int32Array.from(values));
    case "u32":
      return of(Uint32Array.from(values));
    case "u8":
      return Uint8Array.from(values);
    case "f16":
      return of(Uint16Array.from(values, halfBits));
    case "bf16":
      throw new Error("ONNX Runtime on the CPU does not compute in bf16");
  }
};

export interface OnnxNodes {
  readonly writer: OnnxWriter;
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxTensor[];
}

/** A writer for a graph with these inputs. `used` tells which outputs of several something takes. */
export const createOnnxWriter = (
  inputs: readonly { readonly name: string; readonly shape: readonly Dim[] }[],
  used: OnnxWriter["used"],
): OnnxNodes => {
  const nodes: OnnxNode[] = [];
  const constants: OnnxTensor[] = [];
  const known = new Map<string, readonly string[]>();
  let count = 0;
  // No port can be named like this: names in a job hold no space.
  const fresh = (): string => `${count++} `;

  const shared = (key: string, make: () => readonly string[]): readonly string[] => {
    const found = known.get(key);
    if (found) return found;
    const made = make();
    known.set(key, made);
    return made;
  };

  const makeNodes: OnnxWriter["nodes"] = (op, from, attrs, flags) => {
    const dot = op.lastIndexOf(".");
    return shared(JSON.stringify([op, from, attrs, flags]), () => {
      const outputs = flags.map((wanted) => (wanted ? fresh() : ""));
      nodes.push({ op: op.slice(dot + 1), domain: op.slice(0, Math.max(dot, 0)), inputs: from, outputs, attrs });
      return outputs;
    });
  };
  const node: OnnxWriter["node"] = (op, from, attrs = {}) => makeNodes(op, from, attrs, [true])[0]!;

  const constant: OnnxWriter["constant"] = (values, dtype = "f32", shape) => {
    const list = typeof values === "number" ? [values] : values;
    const dims = shape ?? (typeof values === "number" ? [] : [list.length]);
    const spelled = list.map((v) => (Object.is(v, -0) ? "-0" : String(v)));
    return shared(`constant ${dtype} ${dims} ${spelled}`, () => {
      const name = fresh();
      constants.push({ name, type: codes[dtype], shape: dims, bytes: bytesOf(list, dtype) });
      return [name];
    })[0]!;
  };

  /** Where a size can be read off: an axis of an input that has exactly this size. */
  const axisWith = (dim: Dim): { name: string; axis: number } | undefined => {
    for (const { name, shape } of inputs) {
      const axis = shape.indexOf(dim);
      if (axis >= 0) return { name, axis };
    }
    return undefined;
  };

  /** A symbol that no axis has by itself, from an axis whose size is c·symbol + k. */
  const solved = (symbol: string): string => {
    for (const { name, shape } of inputs)
      for (const [axis, dim] of shape.entries()) {
        const parts = terms(dim);
        const linear = parts.find((part) => part.factors.length === 1 && part.factors[0] === symbol);
        if (!linear || parts.some((part) => part !== linear && part.factors.length > 0)) continue;
        const rest = parts.find((part) => part !== linear)?.coefficient ?? 0;
        const whole = node("Sub", [node("Shape", [name], { start: axis, end: axis + 1 }), constant([rest], "i64")]);
        return node("Div", [whole, constant([linear.coefficient], "i64")]);
      }
    throw new Error(`no input of the segment has an axis that gives the size ${symbol}`);
  };

  const one = (dim: Dim): string => {
    if (typeof dim === "number") return constant([dim], "i64");
    const source = axisWith(dim);
    if (source) return node("Shape", [source.name], { start: source.axis, end: source.axis + 1 });
    const parts = terms(dim);
    if (parts.length === 1 && parts[0]!.coefficient === 1 && parts[0]!.factors.length === 1) return solved(dim);
    return parts
      .map(({ coefficient, factors }) => {
        const sizes = factors.map(one);
        if (coefficient !== 1 || !sizes.length) sizes.push(constant([coefficient], "i64"));
        return sizes.reduce((a, b) => node("Mul", [a, b]));
      })
      .reduce((a, b) => node("Add", [a, b]));
  };

  const shape: OnnxWriter["shape"] = (dims) => {
    if (dims.every((dim) => typeof dim === "number")) return constant(dims as readonly number[], "i64");
    const pieces: string[] = [];
    for (let i = 0; i < dims.length; ) {
      const source = typeof dims[i] === "number" ? undefined : axisWith(dims[i]!);
      let length = 1;
      if (typeof dims[i] === "number") {
        while (typeof dims[i + length] === "number") length++;
        pieces.push(constant(dims.slice(i, i + length) as number[], "i64"));
      } else if (source) {
        // As many axes as follow one another there too.
        const from = inputs.find((input) => input.name === source.name)!.shape;
        while (i + length < dims.length && source.axis + length < from.length && dims[i + length] === from[source.axis + length]) length++;
        pieces.push(node("Shape", [source.name], { start: source.axis, end: source.axis + length }));
      } else pieces.push(one(dims[i]!));
      i += length;
    }
    return pieces.length === 1 ? pieces[0]! : node("Concat", pieces, { axis: 0 });
  };

  const reshape: OnnxWriter["reshape"] = (name, from, to) => {
    if (from.length === to.length && from.every((dim, i) => dim === to[i])) return name;
    // 0 copies the size of the same axis, and one -1 is whatever is left: no arithmetic on sizes in most cases.
    const copied = to.map((dim, i) => typeof dim === "string" && dim === from[i]);
    const unknown = to.filter((dim, i) => typeof dim === "string" && !copied[i]).length;
    const target =
      unknown > 1
        ? shape(to)
        : constant(
            to.map((dim, i) => (copied[i] ? 0 : typeof dim === "number" ? dim : -1)),
            "i64",
          );
    return node("Reshape", [name, target]);
  };

  return { writer: { node, nodes: makeNodes, constant, shape, reshape, used, code: codeOf }, nodes, constants };
};
