// How a line of a `require` block is held.

import type { Comparison } from "./score-bounds.ts";

export const compares = (value: number, comparison: Comparison, bound: number): boolean =>
  ({ "<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound, "==": value === bound })[comparison];
