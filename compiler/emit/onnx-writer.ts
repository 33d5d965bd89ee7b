// What an op sees when it prints itself as ONNX: names go in, names come out. The writer keeps the nodes, deduplicates
// constants, and turns symbolic sizes into values that the graph computes from the shapes of its own inputs.

import type { Dim, DType, Node, TensorType } from "../graph.ts";

/** A whole number is an int attribute; `{ float }` says that a number is a float one. */
export type OnnxAttr = number | readonly number[] | string | { readonly float: number };

export interface OnnxWriter {
  /** Adds a node and returns the name of its first output. "com.microsoft.Name" takes the op from that domain. */
  readonly node: (op: string, inputs: readonly string[], attrs?: Readonly<Record<string, OnnxAttr>>) => string;
  /** A node with several outputs; an output whose flag is false is left out, and its name is "". */
  readonly nodes: (
    op: string,
    inputs: readonly string[],
    attrs: Readonly<Record<string, OnnxAttr>>,
    outputs: readonly boolean[],
  ) => readonly string[];
  /** A constant: a scalar, or a tensor of the given shape (by default a vector). */
  readonly constant: (values: number | readonly number[], dtype?: DType | "i64" | "bool", shape?: readonly number[]) => string;
  /** An int64 vector holding these sizes. */
  readonly shape: (dims: readonly Dim[]) => string;
  /** The tensor, whose shape is `from`, under the shape `to`. No node when they are equal. */
  readonly reshape: (name: string, from: readonly Dim[], to: readonly Dim[]) => string;
  /** Whether anything takes this output of the node. */
  readonly used: (node: Node, output: number) => boolean;
  /** ONNX's number for a dtype, for Cast. */
  readonly code: (dtype: DType | "i64" | "bool") => number;
}

export type { TensorType };
