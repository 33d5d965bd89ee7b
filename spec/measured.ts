// Sizes that the data decided, written down beside the pipeline: FILE.measured, checked against measured.schema.json. Shapes follow from the
// file and this one together, on every machine alike.

export interface Measured {
  readonly format: "peft-measured/1";
  readonly lines: readonly MeasuredSizes[];
}

/** Of one line of an adapter. */
export interface MeasuredSizes {
  readonly adapter: string;
  /** Which of its lines, from 0. */
  readonly line: number;
  /** The point of a sweep or a comparison that it is of; absent: the file itself. */
  readonly point?: string;
  readonly from: MeasuredFrom;
  /** Sizes by name, at each target by its path: `layers.0.attn.q`. */
  readonly sizes: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Digests of what sizes follow from. A part that a machine does not have is not compared there. */
export interface MeasuredFrom {
  /** The base's configuration, its tensors' names and shapes, how they are stored, and what stands on it. */
  readonly base: string;
  /** The first 4 KiB of each of its tensors; absent where they are drawn. */
  readonly weights?: string;
  /** The method's text, its settings, and the places it goes to. */
  readonly method: string;
  /** What the training says of its rows. */
  readonly training: string;
  readonly tokenizer?: string;
  /** Size and first 64 KiB of the file that the rows are in. */
  readonly rows?: string;
}
