// Builds what the two ops over a codebook share: its order, and the bounds at which one entry gives way to the next.

import { literal } from "../emit/dtypes.ts";
import type { Attrs } from "../graph/graph.ts";
import type { Problem } from "../graph/op.ts";
import { refuse } from "./shape.ts";

/** The entries as f32; undefined when the attribute holds none. */
export const entriesOf = (attrs: Attrs): readonly number[] | undefined => {
  const { table } = attrs;
  const list = Array.isArray(table) ? (table as readonly unknown[]) : [];
  return list.length > 1 && list.every((v) => typeof v === "number" && Number.isFinite(v))
    ? (list as number[]).map(Math.fround)
    : undefined;
};

export const needsEntries = (name: string): Problem => refuse(`${name} needs a codebook: a list of at least two numbers`);

/**
 * Entries by size, equal ones by place, and the f32 halfway points between neighbours: the entry nearest to v is
 * `order[how many bounds are below v]`. At a bound the smaller entry wins.
 */
export const boundsOf = (entries: readonly number[]): { readonly order: readonly number[]; readonly bounds: readonly number[] } => {
  const order = entries.map((_, i) => i).sort((a, b) => entries[a]! - entries[b]! || a - b);
  const bounds = order.slice(1).map((entry, i) => Math.fround(Math.fround(entries[order[i]!]! + entries[entry]!) / 2));
  return { order, bounds };
};

/** A WGSL function from an index to its entry; one per distinct list. */
export const tableFunction = (values: readonly number[]): { readonly name: string; readonly text: string } => {
  let hash = 2166136261;
  for (const char of values.join()) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619) >>> 0;
  const name = `table_${hash.toString(36)}`;
  const list = values.map((value) => literal(value, "f32")).join(", ");
  return {
    name,
    text: `const ${name}_values = array<f32, ${values.length}>(${list});\nfn ${name}(i: u32) -> f32 { return ${name}_values[i]; }`,
  };
};
