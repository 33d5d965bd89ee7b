// What became of the keys that keys.ts sets to other values.

import { cases } from "./cases.ts";

/**
 * What became of a key's value: transformers refuses it, it changes nothing there (and nothing here), it changes the same here, an error
 * here names it, an error here names something else, or the numbers differ and nothing is said.
 */
export type Outcome = "refused there" | "changes nothing" | "followed" | "named" | "other error" | "silent";

export interface Tried {
  readonly case: string;
  readonly key: string;
  readonly value: unknown;
  readonly outcome: Outcome;
  /** The error, where there is one. */
  readonly says?: string;
}

/** One case of each class. */
export const firsts = cases.filter((one, i) => cases.findIndex((other) => other.class === one.class) === i);

/** Whether what is said of a configuration names the key, or for a rope the key in it. */
export const names = (key: string, says: string): boolean => says.includes(key) || (key === "rope_parameters" && says.includes("rope_"));
