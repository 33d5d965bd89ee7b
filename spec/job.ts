// The job bundle: everything the runtime knows. The compiler writes it, the runtime reads it, neither imports the other.
//
//   DIR/job.json          this file's `Job`, checked against job.schema.json on both sides
//   DIR/graphs/ID.onnx    one small graph per distinct segment, for the cpu device; or several, and ID.N.wasm between them
//   DIR/kernels/ID.wgsl   the kernels of the same segments, for the webgpu device
//   DIR/job.ts, job.js    a typed program that runs the job without the compiler
//
// A program is a list of calls; a call runs one segment over values; a value is a typed range of an arena. Sizes known only
// at run time are symbols: b rows, t tokens per row, n answer tokens, s cache slots. Every arena has its size at their maximum.

import type { Data, Overlong } from "./job-data.ts";
import type { Format } from "./job-formats.ts";
import type { ScoreBound } from "./score-bounds.ts";

export type DType = "f32" | "f16" | "bf16" | "i32" | "u32" | "u8";

/** A size: a number, or a polynomial in the symbols as text, e.g. "b*t", "64*n", "4*b*t+8". See compiler/values/dims.ts. */
export type Dim = number | string;

export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

/**
 * Where a value lives: a byte offset into an arena, memory of its own (frozen weights, caches), or outside the device's memory, from
 * where pages of it are brought in.
 */
export type Place = { readonly arena: string; readonly offset: number } | { readonly own: true } | { readonly paged: true };

export interface Value extends TensorType {
  readonly place: Place;
}

/** A host-side scalar, computed in double precision: `["mul", ["step"], 0.5]`. Operators are named as in compiler/ops. */
export type ScalarExpr = number | readonly [string, ...ScalarExpr[]];

export interface Port extends TensorType {
  readonly name: string;
}

/** One compiled graph, shared by every call whose graph is equal. */
export interface Segment {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** What the cpu device runs, in order. */
  readonly parts: readonly SegmentPart[];
  /** Values between the parts, placed in the arena "parts". */
  readonly between: Readonly<Record<string, Value>>;
  /** Path inside the bundle of the WGSL module that holds every kernel of the segment as an entry point. */
  readonly wgsl: string;
  readonly kernels: readonly Kernel[];
  /** Values between the segment's own kernels, placed in the arena "scratch". */
  readonly scratch: Readonly<Record<string, Value>>;
  /** FLOPs of one call, as a Dim. */
  readonly flops: Dim;
}

/** A piece of a segment on the cpu device. Its ends are ports of the segment or values between parts. */
export type SegmentPart = OnnxPart | WasmPart;

export interface OnnxPart {
  /** Path inside the bundle of an ONNX graph, whose inputs and outputs have the ends' names. */
  readonly onnx: string;
  /** Bytes that the engine takes beside the ends while it runs, at the largest sizes; estimated. */
  readonly engine: number;
  /** Bytes that it keeps from one run to the next; 0: it gives back all of them. */
  readonly keeps: number;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface WasmPart {
  /**
   * Path inside the bundle of a WebAssembly module over an imported memory `kernel.memory`, shared unless the job has lanes. Every thread
   * that works on it calls its `run` with the addresses of a counter that starts at 0 and of a scratch of its own, the sizes, then the
   * address of each end.
   */
  readonly wasm: string;
  /** Bytes of one thread's scratch. */
  readonly scratch: number;
  readonly sizes: readonly Dim[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** One dispatch. */
export interface Kernel {
  readonly entry: string;
  /**
   * Bound in this order at group 0, binding 0…; names are ports or scratch values. After them comes the uniform of symbols and
   * scalars, when there are any. A binding that is read may have to share its buffer, or its very place, with one that is written.
   */
  readonly bindings: readonly { readonly value: string; readonly access: "read" | "write" }[];
  /** Symbols in the order they stand in the uniform (u32 each; the whole is padded to 16 bytes). */
  readonly symbols: readonly string[];
  /** Scalar values (4 bytes each) that follow the symbols in the uniform, for want of bindings. They are copied there before the dispatch. */
  readonly scalars?: readonly string[];
  /** Workgroups per axis, each ceil(numerator / denominator). What exceeds a device's limit along x is folded over y, if that is 1. */
  readonly workgroups: readonly (readonly [numerator: Dim, denominator: number])[];
}

export interface Call {
  readonly segment: string;
  /** Value names, one per input port and per output port, in order. Local names of the program first, then the job's. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface Program {
  readonly values: Readonly<Record<string, Value>>;
  readonly calls: readonly Call[];
  /** Values the host writes before and reads after a run. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Largest size of each symbol in this program. */
  readonly dims: Readonly<Record<string, number>>;
  /** Bytes of what the program touches, at the largest sizes: its own values and the job's. */
  readonly peak: number;
  /** FLOPs of one run, as a Dim. */
  readonly flops: Dim;
}

/** Tensors of one shape whose elements follow each other in a parameter: how a checkpoint may hold it. */
export interface Parts {
  readonly names: readonly string[];
  readonly shape: readonly number[];
}

/** Where a parameter's first value comes from. */
export type Source =
  | {
      readonly kind: "checkpoint";
      /** Tensor name in the checkpoint; of one that lies there in parts, what the running model calls it. */
      readonly tensor: string;
      /** Stored [in, out] there and [out, in] here. */
      readonly transposed: boolean;
      readonly parts?: Parts;
      /** It lies in the checkpoint in its own format already, as the format's `files` say. */
      readonly packed?: boolean;
    }
  | {
      readonly kind: "draw";
      /** "distinct": whole numbers from 0 that differ, ascending; the others are numbers to compute with. */
      readonly distribution: "zeros" | "ones" | "uniform" | "normal" | "constant" | "distinct";
      /** uniform: low, high; normal: standard deviation; constant: the value; distinct: the number they stay below. */
      readonly args: readonly number[];
      /** Of a base's parameter: its name and orientation in a checkpoint that is written. */
      readonly tensor?: string;
      readonly transposed?: boolean;
      readonly parts?: Parts;
    }
  /** A copy of another parameter's first value: trained copies of a base's parameter. */
  | { readonly kind: "copy"; readonly of: string }
  /** The values of these parameters one after the other, along a first axis: a bank of adapters of which each row takes its own. */
  | { readonly kind: "stack"; readonly of: readonly string[] }
  /** Given in the file: positions, ids. */
  | { readonly kind: "values"; readonly values: readonly number[] }
  /** Computed once by the adapter's `init`, before it is trained, and stored with it. */
  | { readonly kind: "init" }
  /** Computed by the adapter's `finish` of its other parameters, whenever these have moved and it is not trained. */
  | { readonly kind: "kept" };

export interface Parameter {
  /** Role path, e.g. "layers.0.attn.q.weight" or "menu:layers.0.attn.q.a". Also the name of its value in `values`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** The dtype it has on disk, checkpoints only. */
  readonly stored?: DType;
  /** Label of the format that it is kept in, one of `Job.formats`; absent: as `dtype`. */
  readonly format?: string;
  readonly trained: boolean;
  readonly source: Source;
}

/** How the tensors of a stack lie in one of as many axes as each has: see folded.ts. */
export type Fold = "stacked" | "woven";

/** A tensor of an adapter's file: one parameter, or several one after another along an axis, each times its sign (1 or -1). */
export interface StoredTensor {
  readonly key: string;
  /** The parameter, or the first of several. */
  readonly parameter: string;
  readonly transposed: boolean;
  readonly fold?: Fold;
  readonly joined?: { readonly axis: 0 | 1; readonly parts: readonly { readonly parameter: string; readonly sign: number }[] };
}

/** How an adapter is written to and read from disk. */
export interface AdapterFiles {
  /** Whose layout it is in; "none" is this project's own. */
  readonly library: "peft" | "adapters" | "none";
  /** adapter_config.json, without what depends on the run (paths, versions). */
  readonly config: Readonly<Record<string, unknown>>;
  /** Keys of it, at any depth, whose whole numbers are written with a decimal point. */
  readonly decimals?: readonly string[];
  readonly tensors: readonly StoredTensor[];
}

/**
 * A step of computing first values. Values between steps live on the host: a program's inputs that the job does not know are
 * written before it runs, its outputs are read after. What carries a parameter's name is its first value.
 */
export type InitStep =
  /** A pass over the data of the adapter's training (see `Train.observe`): each batch's `value` of the program is added up, under every name in `as`. */
  | {
      readonly kind: "observe";
      readonly program: string;
      readonly sums: readonly { readonly value: string; readonly as: readonly string[] }[];
    }
  | { readonly kind: "program"; readonly program: string }
  | {
      readonly kind: "host";
      /** An operation of the host alone, by its name in runtime/host-ops. */
      readonly op: string;
      readonly attrs: Readonly<Record<string, number | string | boolean | readonly number[]>>;
      readonly inputs: readonly { readonly value: string; readonly shape: readonly number[] }[];
      readonly outputs: readonly string[];
    };

/** A size that was measured, or will be: of a line of an adapter, at a module of the base. */
export interface MeasuredSize {
  readonly line: number;
  readonly path: string;
  readonly name: string;
  /** What holds it, as one number, when the steps have run. */
  readonly value: string;
}

export interface Adapter {
  readonly name: string;
  readonly method: string;
  /** Names in `parameters` that belong to it, in arena order. */
  readonly parameters: readonly string[];
  readonly trainable: number;
  readonly files: AdapterFiles;
  /** What decides its sizes before it can be trained: everything else of it here is of the largest it may have. */
  readonly measure?: { readonly steps: readonly InitStep[]; readonly sizes: readonly MeasuredSize[] };
  /** Computes the parameters whose source is "init", in order. */
  readonly init?: readonly InitStep[];
  /** Computes the parameters whose source is "kept", of those that are trained. */
  readonly finish?: readonly InitStep[];
  /** Adapters with tensors that are on when this one is, in order: what it stands on, or is made of, and itself if it has tensors. */
  readonly with: readonly string[];
  /** Adapters that its first values are computed from. */
  readonly of?: readonly string[];
  /** Adapters whose tensors its own hold side by side, in order; a row of a batch names one by its place. */
  readonly bank?: readonly string[];
  /** The `train` blocks of the file that move it, by their subjects: its own, or a bank's. Where there is one, a run has saved it. */
  readonly trainedBy: readonly string[];
  /** Folder it is read from, as written; relative paths start at the folder of the `.peft` file. */
  readonly from?: string;
  /** That folder may be of another base than the job's. */
  readonly anyBase?: true;
  readonly mergeable: boolean;
  /** Why it cannot be merged. */
  readonly unmergeable?: string;
}

export interface Train {
  readonly adapter: string;
  readonly data: string;
  readonly split: string;
  readonly epochs?: number;
  readonly steps?: number;
  readonly micro_batch_size: number;
  readonly gradient_accumulation_steps: number;
  /** Real tokens of the longest row. */
  readonly sequence_len: number;
  /** Slots in front of each row for virtual tokens: id 0, positions from 0, never a label. Absent: none. */
  readonly virtual?: number;
  /** Rows of sequence_len tokens hold as many examples as fit; `step` then reads `slots` and `starts` too. */
  readonly packing?: boolean;
  readonly overlong?: Overlong;
  /** Most tokens of a prompt, where an encoder reads it: the program then reads `source.ids`, `source.positions` and `source.ends` too. */
  readonly source?: number;
  /** Whether the program reads `ends`: of each token, the last place of its row that is no padding. */
  readonly ends?: boolean;
  /**
   * How much of the split's beginning is observed before first values are computed. Programs read `rows` (the tokens that are no padding) and
   * `labelled` (1 for each of them that the loss falls on, else 0); `virtual` and `ends` as above.
   */
  readonly observe?: {
    readonly amount: { readonly share?: number; readonly rows?: number };
    readonly virtual?: number;
    readonly ends?: boolean;
  };
  readonly seed: number;
  readonly shuffle: boolean;
  readonly checkpoint?: { readonly every: number; readonly unit: "steps" | "epochs"; readonly keep: number };
  readonly log: { readonly every: number };
  /** Files that grow while it trains, in `logs/` of the run's folder; and a server that gets the same numbers. */
  readonly logs?: readonly ("jsonl" | "tensorboard" | "mlflow")[];
  /** Bytes that the file lets this training's memory take; it is planned to keep them. */
  readonly budget?: number;
  /** How often the split is evaluated while it trains, by a program like `Evaluate.program`, at the training's sizes. */
  readonly evaluate?: {
    readonly every: number;
    readonly unit: "steps" | "epochs";
    readonly split: string;
    readonly program: string;
    readonly ends?: boolean;
  };
  /** The adapter that is saved is the one whose evaluation was best by this, the first of equals. */
  readonly keep_best?: "loss" | "token_accuracy";
  /** Evaluations in a row without a gain after which training stops. */
  readonly patience?: number;
  /**
   * Program of one micro-batch. Inputs: ids, positions, rows, targets, scale (1 / answer tokens of the whole step), which (the place of each row's adapter in
   * the bank) when it trains a bank, and seeds
   * when something is gated (see `seeds`). Output: loss (already scaled: the micro-batches' losses add up to the step's).
   */
  readonly step: string;
  /** Number of i32 seeds, one per 64 elements of the value `seeds`; 0 when nothing is gated. */
  readonly seeds: number;
  /** Adds a micro-batch's gradients to the sum; absent without accumulation. Input: keep (0 at a step's first micro-batch, then 1). */
  readonly accumulate?: string;
  /**
   * What methods bind of a step, run before `norm`: it changes the gradients. `scalars` is the value `ADAPTER.before.scalars`, written before
   * it, as below. With `adds` its output `added` joins the step's loss.
   */
  readonly before?: { readonly program: string; readonly scalars: readonly ScalarExpr[]; readonly adds: boolean };
  /** The same, run after the update: it changes parameters, and values that are kept from step to step, each filled with `init` at first. */
  readonly after?: {
    readonly program: string;
    readonly scalars: readonly ScalarExpr[];
    readonly state: readonly { readonly value: string; readonly init: number }[];
  };
  /** Program that reads the gradients and changes nothing. Input: `scalars`, if there are any. Outputs: norm (before clipping), and ADAPTER.factors for `update`. */
  readonly norm: string;
  /** Program of one optimizer step, run only after the norm was seen to be finite. */
  readonly update: string;
  /** The value `ADAPTER.scalars`, written before `norm`: one expression per element, in terms of ["step"] (from 0) and ["total"]. */
  readonly scalars: readonly ScalarExpr[];
  /** The learning rate, for logs. */
  readonly rate: ScalarExpr;
  /** Present when optimizer state is paged: the programs of one update, a page each, in place of `update`. */
  readonly pages?: readonly StatePage[];
  /** What operands of products and activations are rounded to; absent: nothing is rounded. */
  readonly compute?: "f16";
  /** Layers whose activations are computed again in the backward pass. */
  readonly recompute?: number;
  /** Names of values that are optimizer state, all zero (or `init`) at the start; of one that is kept in a format, its pieces. */
  readonly state: readonly { readonly value: string; readonly init: number }[];
}

/** A page of optimizer state: the program that moves it, and for each value of the state that has elements in it, which, and where they lie meanwhile. */
export interface StatePage {
  readonly program: string;
  readonly state: readonly { readonly of: string; readonly from: number; readonly page: string }[];
}

export interface Evaluate {
  /** Base or adapter name. */
  readonly subject: string;
  readonly data: string;
  readonly split: string;
  readonly metrics: readonly MetricCall[];
  /** `prompts`: rows with equal prompts are one input with several references. */
  readonly inputs: "prompts" | "rows";
  readonly micro_batch_size: number;
  readonly sequence_len: number;
  /** As in `Train`; for generation too. */
  readonly virtual?: number;
  readonly overlong?: Overlong;
  /** Most tokens of a prompt, where an encoder reads it: the program then reads `source.ids`, `source.positions` and `source.ends` too. */
  readonly source?: number;
  /** Whether the program reads `ends`: of each token, the last place of its row that is no padding. */
  readonly ends?: boolean;
  /** Program. Inputs: ids, positions, rows, targets, scale, and which for a bank (see `Train.step`). Output: loss (the sum over answer tokens times scale). */
  readonly program: string;
  readonly generate?: Generation;
  /** Generated texts that are shown, from the split's start; all are generated when a metric is scored on text. */
  readonly samples?: number;
  /** Program for generation; t is the prompt's length, then 1. Inputs: ids, positions, rows (flattened index of each row's last token), and which for a bank; output: logits [n, vocabulary]. */
  readonly generator?: string;
}

/** A metric with every setting it has, and the names of its scores. */
export interface MetricCall {
  readonly name: string;
  readonly scores: readonly string[];
  readonly settings: Readonly<Record<string, number | boolean | string>>;
}

/** How text is written. Names and meanings are those of transformers; what is absent does nothing. */
export interface Generation {
  readonly kind: "greedy" | "beam" | "sample";
  readonly max_new_tokens: number;
  readonly repetition_penalty?: number;
  readonly no_repeat_ngram_size?: number;
  /** Texts that end an answer and are no part of it. */
  readonly stop?: readonly string[];
  /** beam: hypotheses kept per prompt. */
  readonly width?: number;
  readonly length_penalty?: number;
  readonly early_stopping?: boolean | "never";
  /** sample */
  readonly temperature?: number;
  readonly top_k?: number;
  readonly top_p?: number;
  readonly min_p?: number;
  readonly seed?: number;
}

/** One merged tensor: run `program` with the base's tensor written to `base`, read `output`. Without a program, `output` is read as it is. */
export interface MergedTensor {
  /** Name in the checkpoint, as in `Source`. */
  readonly tensor: string;
  readonly transposed: boolean;
  readonly parts?: Parts;
  readonly shape: readonly number[];
  readonly program?: string;
  /** Value name in the program; absent where the merged tensor does not depend on the base's. */
  readonly base?: string;
  readonly output: string;
}

export interface Merge {
  readonly adapter: string;
  readonly into: string;
  /** Stored dtype of the merged tensors; absent: each as the base stores it. */
  readonly as?: DType;
  /** Label of the format that merged tensors, and all that the base keeps in a format, are packed in. */
  readonly format?: string;
  readonly tensors: readonly MergedTensor[];
}

/** A layer whose weights are in memory only while calls read them; layers of one slot follow each other in one buffer. */
export interface RingLayer {
  readonly slot: 0 | 1;
  readonly values: readonly string[];
}

export interface Job {
  readonly format: "peft-job/1";
  readonly name: string;
  readonly source: { readonly file: string; readonly sha256: string };
  /** Limits profile the kernels were compiled for. */
  readonly profile: string;
  /** Largest size of each symbol. */
  readonly dims: Readonly<Record<string, number>>;
  readonly base: {
    readonly name: string;
    /** Folder as written in the source; absent weights mean that the parameters are drawn. */
    readonly path: string;
    readonly weights: "checkpoint" | "drawn";
    readonly seed: number;
    /** Values of config.json the runtime needs. */
    readonly vocab_size: number;
    /** What a decoder begins from, where an encoder reads the prompt. */
    readonly start?: number;
    /** Channels, height and width of what it looks at: a prompt then names a picture's file, and programs read `pixels`. */
    readonly picture?: readonly number[];
    readonly positions: number;
    /** sha256 of config.json, and of the safetensors headers in file order. */
    readonly config_sha256: string;
    readonly header_sha256?: string;
    readonly parameters: number;
  };
  readonly parameters: readonly Parameter[];
  /** By label. */
  readonly formats: Readonly<Record<string, Format>>;
  readonly adapters: readonly Adapter[];
  readonly data: readonly Data[];
  readonly train: readonly Train[];
  readonly evaluate: readonly Evaluate[];
  readonly merge: readonly Merge[];
  /** Bounds on what a run measures. */
  readonly require?: readonly ScoreBound[];
  readonly arenas: Readonly<Record<string, number>>;
  /** Layers of the base that are read from its checkpoint whenever calls need them, to keep a budget; their values lie in the arena "ring". */
  readonly ring?: readonly RingLayer[];
  readonly values: Readonly<Record<string, Value>>;
  /** How many threads of the cpu device may each hold a copy of everything, to compute shares of a batch side by side. Absent: none but the first. */
  readonly lanes?: number;
  readonly segments: Readonly<Record<string, Segment>>;
  readonly programs: Readonly<Record<string, Program>>;
  /** What `plan` prints, kept so that a run can compare. Bytes unless said. */
  readonly plan: Readonly<Record<string, number>>;
}
