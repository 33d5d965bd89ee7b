// How deep a tree is. Everything that reads a tree recurses over it, so a tree deeper than any stack allows must never leave the
// parser; this looks without recursion.

import type { Item, Span } from "./tree.ts";

/** Levels of nodes a tree may have. A sum of this many terms is one such tree. */
export const MAX_TREE = 400;

/** The place of a node deeper than allowed, if there is one. */
export const tooDeepIn = (item: Item): Span | undefined => {
  const pending: { readonly node: object; readonly depth: number }[] = [{ node: item, depth: 0 }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { node, depth } = next;
    if (depth > MAX_TREE) return (node as { at: Span }).at;
    for (const value of Object.values(node)) {
      if (typeof value !== "object" || value === null) continue;
      pending.push({ node: value, depth: "kind" in value ? depth + 1 : depth });
    }
  }
  return undefined;
};
