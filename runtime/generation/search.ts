// A search for one prompt's answer, as the batch loop (generate.ts) sees it: logits of its rows in, the rows and ids to go on with
// out. What it is (greedy, sampled, beams) is its own matter.

export interface Continuation {
  /** For each row to go on with: which of the present rows it continues. */
  readonly from: readonly number[];
  readonly ids: readonly number[];
}

export interface Search {
  /** Logits of each present row; at first one row, the prompt's. Undefined: the search is over. */
  readonly advance: (logits: readonly Float32Array[]) => Continuation | undefined;
  /** The answer so far: without the prompt and without the id that ended it. */
  readonly answer: () => readonly number[];
}

export interface SearchOptions {
  readonly prompt: readonly number[];
  /** A number that names the prompt: draws depend on it, not on the batch. */
  readonly name: number;
  /** Ids that may be written: the least of what was asked for and what fits the model. */
  readonly room: number;
  readonly stops: ReadonlySet<number>;
  /** Whether what was written holds a text that ends it. */
  readonly ended: (ids: readonly number[]) => boolean;
}
