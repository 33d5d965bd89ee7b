// Formatting as the smallest edit: what is the same at both ends stays, so that the cursor stays where it is.

import { format } from "../../grammar/format.ts";
import type { Analysis } from "./analysis.ts";

export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly insert: string;
}

/** Undefined when the text has mistakes or is formatted already. */
export const formatEdit = ({ tree, text, broken }: Pick<Analysis, "tree" | "text" | "broken">): Edit | undefined => {
  if (broken) return undefined;
  const formatted = format(tree, text);
  if (formatted === text) return undefined;
  const shorter = Math.min(text.length, formatted.length);
  let start = 0;
  while (start < shorter && text[start] === formatted[start]) start++;
  let same = 0;
  while (same < shorter - start && text.at(-1 - same) === formatted.at(-1 - same)) same++;
  return { start, end: text.length - same, insert: formatted.slice(start, formatted.length - same) };
};
