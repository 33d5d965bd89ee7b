// Of the job bundle (job.ts): how tensors are stored in a format, as a graph that the host evaluates.

import type { DType } from "./job.ts";

/** One step of storing a tensor: an op of compiler/ops on earlier nodes, an input (`x`, `all`, `code` or a state), or a constant. */
export interface FormatNode {
  readonly op: string;
  /** Places in `Format.nodes`. */
  readonly inputs: readonly number[];
  readonly name?: string;
  readonly value?: number;
  readonly table?: readonly number[];
  readonly low?: number;
  readonly high?: number;
  readonly dtype?: string;
}

/** How another library's checkpoint holds such a tensor. A key "" is the tensor's own name, ".x" follows it, "x" replaces its last part. */
export interface FormatFiles {
  readonly library: string;
  readonly type: string;
  /** Kept as JSON beside the tensors: a setting, or the one number of a piece. */
  readonly entries: readonly { readonly key: string; readonly value?: string | number | boolean; readonly piece?: string }[];
  /** A piece by what is added to the parameter's name, the codebook, or a constant. */
  readonly tensors: readonly {
    readonly key: string;
    readonly piece?: string;
    readonly table?: readonly number[];
    readonly value?: number;
  }[];
}

/**
 * How a tensor is stored, evaluated by the host in f32, block by block: `x` is a block, `all` the whole tensor. A parameter NAME with
 * `dtype` u8 lies in the values `NAME.code` (packed, two codes of 4 bits in a byte, the first in the high half) and `NAME.STATE`
 * each; one with another dtype in the value NAME.
 */
export interface Format {
  /** As it would be written with every setting. */
  readonly label: string;
  /** Elements of a block, in row-major order, the last possibly fewer; absent: a block is a row of the last axis. */
  readonly block?: number;
  readonly dtype: DType;
  readonly bits: number;
  /** Whether codes are two's complement. */
  readonly signed: boolean;
  readonly state: readonly {
    readonly name: string;
    readonly per: "block" | "tensor";
    /** Node that gives its value. */
    readonly first: number;
    /** How it is stored itself; absent: as f32. */
    readonly format?: Format;
  }[];
  readonly nodes: readonly FormatNode[];
  /** Node of the code, from `x`, `all` and what states are computed from. */
  readonly code: number;
  /** Node of the value, from `code` and the states as stored. */
  readonly value: number;
  /** Absent: no other library reads it. */
  readonly files?: FormatFiles;
}
