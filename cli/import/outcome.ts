// What becomes of a key of another tool's file. Every key has exactly one outcome, and the report lists them all: nothing is left
// out without a word.

import type { Given } from "./given.ts";

export type Fate =
  /** It stands in the file that is written. */
  | "carried"
  /** The language always does it, or it follows from the checkpoint. */
  | "settled"
  /** It is about the run's surroundings (trackers, caches, kernels), not about what is computed. */
  | "outside"
  /** It has no value. */
  | "unset"
  /** It changes what is trained, and the file that is written does not have it. */
  | "lost"
  /** The other tool itself would have ignored it. */
  | "dropped";

export interface Outcome {
  readonly fate: Fate;
  /** What it became, or why it did not. */
  readonly says: string;
  /** It goes with another key, which is the one that is listed. */
  readonly along?: string;
}

export interface Reported extends Outcome {
  readonly given: Given;
}

export const carried = (says: string): Outcome => ({ fate: "carried", says });
export const settled = (says: string): Outcome => ({ fate: "settled", says });
export const outside = (says: string): Outcome => ({ fate: "outside", says });
export const lost = (says: string): Outcome => ({ fate: "lost", says });
export const dropped = (says: string): Outcome => ({ fate: "dropped", says });
export const unset: Outcome = { fate: "unset", says: "it has no value" };
