// How an op takes part in a WGSL kernel. fuse.ts and the emitters know these forms and no op by name.
//
// Every expression is WGSL text. Arguments handed in are names, literals or parenthesised; what comes back is parenthesised by
// the caller. Floating-point values are f32 in registers whatever their stored dtype; i32 stays i32; u32 and u8 are u32.

import type { Attrs, Dim, TensorType } from "../graph/graph.ts";

export type WgslForm =
  | MapForm
  | FlatForm
  | ElementForm
  | ReduceForm
  | RowForm
  | ContractionForm
  | ScatterForm
  | AttentionForm
  | AttentionGradientForm;

/**
 * One output element from the elements at the same (broadcast) index: joins any kernel as an expression. Arguments are
 * names, literals or parenthesised; the result needs parentheses. `prelude` holds functions that the expression calls.
 */
export interface MapForm {
  readonly form: "map";
  readonly expression: (args: readonly string[], attrs: Attrs) => string;
  readonly prelude?: string;
  /** What a contraction may absorb: a sum of contractions is one K loop, and a scalar factor goes onto its operand. */
  readonly algebra?: "sum" | "product";
  /** "view": as cheap as the load it stands on; computed by every reader of a stored value. */
  readonly cost?: "view";
}

/** The same elements in the same row-major order under another shape. */
export interface FlatForm {
  readonly form: "flat";
}

/** What an element expression may ask for. */
export interface ElementReader {
  /** The output index along one axis (u32), divided out only when asked for. */
  readonly at: (axis: number) => string;
  /** The row-major position of the output element (u32). */
  readonly flat: () => string;
  /** The element of an input at an index, one u32 expression per axis; a scalar takes []. */
  readonly read: (input: number, index: readonly string[]) => string;
  /** The element of an input at the same index, broadcast as in a map. */
  readonly same: (input: number) => string;
  /** A size as a u32 expression. */
  readonly size: (dim: Dim) => string;
  /** Names a value, so that an expression that occurs twice is computed once. */
  readonly name: (expression: string) => string;
  /** The last i below `count` for which `hit` holds, or `count`. What `hit` reads, it reads through the reader it is given. */
  readonly search: (count: string, hit: (i: string, inner: ElementReader) => string) => string;
  /** The 32-bit word at a word's position of an input whose elements share words; undefined where the input is computed here. */
  readonly word: (input: number, at: string) => string | undefined;
  /** Declares functions or constants that the expression uses. */
  readonly prelude: (text: string) => void;
  readonly inputs: readonly TensorType[];
  readonly output: TensorType;
}

/** One output element from input elements at other indices, as an expression over that index. */
export interface ElementForm {
  readonly form: "element";
  readonly element: (reader: ElementReader, attrs: Attrs) => string;
  /** "view": index arithmetic alone, computed again by every reader and never stored. "work": a kernel of its own, or part of one. */
  readonly cost: "view" | "work";
  readonly prelude?: string;
  /** For each output axis, the input axis it walks: tells which operand axis is contiguous in memory. Default: as they stand. */
  readonly axes?: (attrs: Attrs, inputs: readonly TensorType[], output: TensorType) => readonly number[];
  /** Four neighbours along the last axis from a position that is a multiple of 4, cheaper than one by one; undefined where it cannot. */
  readonly four?: (reader: ElementReader, attrs: Attrs) => readonly string[] | undefined;
  /** Whether four aligned neighbours along the last axis are four aligned neighbours of input 0, at the index `read` is given. */
  readonly keepsFour?: (attrs: Attrs, inputs: readonly TensorType[], output: TensorType) => boolean;
  /** An input that is read only at the output's own position, so that the output may be written over it. */
  readonly over?: number;
}

/** Output axes are the kept axes of input 0; the others are reduced, in a fixed order. */
export interface ReduceForm {
  readonly form: "reduce";
  readonly by: "sum" | "max";
  /** Axes that are reduced, ascending. */
  readonly axes: (attrs: Attrs, inputs: readonly TensorType[]) => readonly number[];
  /** Divides by how many were summed. */
  readonly mean?: boolean;
}

export interface RowContext {
  /** The inputs: one element per step for role "element", one per row for role "row". */
  readonly args: readonly string[];
  /** Reductions finished so far. */
  readonly reduced: Readonly<Record<string, string>>;
  /** Position in the row, u32. */
  readonly column: string;
  /** Length of the row as f32. */
  readonly width: string;
  readonly attrs: Attrs;
}

/** Reductions over the last axis, in order, each allowed to use the earlier ones; then outputs per element, row or column. */
export interface RowForm {
  readonly form: "row";
  /** Input whose shape is walked. */
  readonly along: number;
  /** Axis that is walked; default the last. */
  readonly axis?: (attrs: Attrs, rank: number) => number;
  readonly roles: readonly ("element" | "row")[];
  readonly reductions: readonly RowReduction[];
  readonly outputs: (attrs: Attrs) => readonly RowOutput[];
}

export interface RowReduction {
  readonly name: string;
  readonly by: "sum" | "max";
  readonly of: (context: RowContext) => string;
  /** From the reduction's raw value, itself in `reduced`. */
  readonly finish?: (context: RowContext) => string;
}

export interface RowOutput {
  /** "column": summed over the rows, so that it has the shape of the last axis alone. */
  readonly per: "element" | "row" | "column";
  readonly value: (context: RowContext) => string;
}

/** A sum of products over one index. */
export interface ContractionForm {
  readonly form: "contraction";
  /** "matrix": [.., m, k]·[.., k, n], leading axes are batch. "leading": [.., m]ᵀ·[.., n], summed over all leading axes. */
  readonly over: "matrix" | "leading";
  readonly transposed?: (attrs: Attrs) => { readonly a: boolean; readonly b: boolean };
  /** Whether operands are rounded to f16 before they are multiplied. Sums are f32 all the same. */
  readonly half: (attrs: Attrs) => boolean;
}

/** out[ids[i], ..] += value[i, ..] over the flattened leading axes in order of i, zero where no id points: no atomics, so it is the same every time. */
export interface ScatterForm {
  readonly form: "scatter";
  readonly ids: number;
  readonly value: number;
}

/** query [b,t,h,d], key and value [b,s,g,d], sees [b,t] or [b,t,2 or 3], perhaps bias [h,m] -> out, lse [b,t,h]. */
export interface AttentionForm {
  readonly form: "attention";
  readonly scale: (attrs: Attrs, width: number) => number;
  /** Bound of the scores; 0 is none. */
  readonly softcap: (attrs: Attrs) => number;
  /** Whether a query sees only what `sees` says; else all. */
  readonly causal: (attrs: Attrs) => boolean;
  /** Slots in front that every query sees; what `sees` says is counted behind them. */
  readonly memory: (attrs: Attrs) => number;
}

/** query, key, value, sees, out, lse, dout, perhaps bias -> the wanted ones of dquery, dkey, dvalue, dbias. */
export interface AttentionGradientForm {
  readonly form: "attention_gradient";
  readonly scale: (attrs: Attrs, width: number) => number;
  readonly softcap: (attrs: Attrs) => number;
  readonly causal: (attrs: Attrs) => boolean;
  /** Slots in front that every query sees; what `sees` says is counted behind them. */
  readonly memory: (attrs: Attrs) => number;
  readonly outputs: (attrs: Attrs) => readonly ("query" | "key" | "value" | "bias")[];
}
