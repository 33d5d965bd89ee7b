// A line of a `require` block that only a run can hold.

export type Comparison = "<" | "<=" | ">" | ">=" | "==";

export interface ScoreBound {
  /** As it is written: `rouge1(evaluate menu)`. */
  readonly fact: string;
  readonly score: string;
  readonly subject: string;
  readonly compare: Comparison;
  readonly bound: number;
  /** In a file of this name, in whatever folder. */
  readonly at: { readonly file: string; readonly start: number; readonly end: number };
}
