// What an op is. One file in ops/ holds everything known about one op; ops/index.ts lists them.

import type { OnnxWriter } from "../emit/onnx-writer.ts";
import type { WgslForm } from "../emit/wgsl-forms.ts";
import type { LiftContext } from "../unfold/lift.ts";
import type { Attrs, Dim, Graph, Node, TensorType } from "./graph.ts";

/** A tensor of the reference interpreter: row-major, double precision (ids are whole numbers in it too). */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export interface Problem {
  /** What is wrong, in the user's terms; the caller adds the place. */
  readonly problem: string;
}

export interface GradientContext {
  readonly graph: Graph;
  readonly node: Node;
  /** Gradients of the node's outputs (one unless it has several; undefined where nothing flows). */
  readonly d: readonly (Node | undefined)[];
  /** Which inputs need a gradient. Frozen ones never do; return undefined for them. */
  readonly wants: readonly boolean[];
}

export interface Op {
  readonly name: string;
  /** One line for docs and hover. */
  readonly doc: string;
  /**
   * How the language calls it: names of its tensor arguments, of those that may be left out or be `none` (given by name), then
   * attributes with defaults (undefined: required). Absent: not callable.
   */
  readonly call?: {
    readonly tensors: readonly string[];
    readonly optional?: readonly string[];
    readonly attrs?: Readonly<Record<string, number | string | boolean | undefined>>;
    /** Required attributes that are text. */
    readonly texts?: readonly string[];
  };
  /** For generation: inputs that persist over time ([b, t, …], kept as [b, s, …]) and the input that says each token's position (of several numbers, the last). */
  readonly cache?: { readonly inputs: readonly number[]; readonly positions: number };
  /** An input of which only slots in front are added, the same at every step: a cache holds that input and not the result. */
  readonly behind?: number;
  /** "token": each position of the leading axes for itself. "time": mixes positions; generation needs a cache. Default "token". */
  readonly mixes?: "token" | "time";
  readonly type: (inputs: readonly TensorType[], attrs: Attrs) => TensorType | readonly TensorType[] | Problem;
  /** The gradient, as nodes. Absent: the op is not differentiable and nothing may ask. */
  readonly gradient?: (context: GradientContext) => readonly (Node | undefined)[];
  /** Its gradient lets nothing through, whatever comes in. */
  readonly stops?: true;
  /** How a batch of rows computes it, each row with inputs of its own where `lifted` says so. Absent, or undefined: it cannot. */
  readonly lift?: (context: LiftContext) => Node | undefined;
  /** The meaning. Written to be read; loops and no tricks. `types` are the concrete output types. */
  readonly eval: (inputs: readonly Tensor[], attrs: Attrs, types: readonly TensorType[]) => readonly Tensor[];
  /** Floating-point operations of one evaluation; default: one per output element. */
  readonly flops?: (inputs: readonly TensorType[], attrs: Attrs, type: TensorType) => Dim;
  /** Names of several outputs, as the language reads them: `svd(x, count: 8).u`. */
  readonly outputs?: readonly string[];
  /** Runs on the host alone, before training: its meaning is runtime/host-ops/NAME.ts, and no device prints it. */
  readonly host?: true;
  /** What the op is made of, for one that no device has: replaces it before anything is printed (expand.ts). */
  readonly expand?: (graph: Graph, inputs: readonly Node[], node: Node) => Node;
  /** Prints the op as ONNX nodes; returns the names of its outputs. */
  readonly onnx: (write: OnnxWriter, inputs: readonly string[], node: Node) => readonly string[];
  /**
   * Bytes of what its ONNX nodes hold beside the op's inputs: of each moment, of which only the last has the results beside it. Default:
   * nothing. `bytes`: of a tensor.
   */
  readonly holds?: (node: Node, bytes: (type: TensorType) => number) => readonly (readonly number[])[];
  /** Names of the attributes that hold sizes (one called `shape` a list of Dims, any other one Dim), so that they may be symbolic. */
  readonly sizes?: readonly string[];
  /** How the op appears in a WGSL kernel. */
  readonly wgsl?: WgslForm;
}
