// Chooses how a contraction is cut: the tile of outputs one workgroup makes, how many of them one thread keeps in registers,
// the depth of the shared tiles, and into how many parts a long sum is split. By shape alone, so builds reproduce.
//
// A tile of R x C outputs with depth D reads (R + C)·D elements for R·C·D multiply-adds: 64x64 is past the balance point of every
// GPU's L2. Thin products (rank-r ones) would waste such a tile, so theirs is as thin as they are.

import type { Node } from "../graph/graph.ts";
import { ops } from "../ops/index.ts";
import type { Dim } from "../values/dims.ts";
import type { Profile } from "./profile.ts";

export interface ContractionPlan {
  /** Outputs of one workgroup. */
  readonly rows: number;
  readonly columns: number;
  /** Outputs of one thread. */
  readonly perRow: number;
  readonly perColumn: number;
  /** Elements of the summed axis held in workgroup memory at once; a multiple of 4. */
  readonly depth: number;
  readonly parts: number;
}

const tile = (rows: number, columns: number, perRow: number, perColumn: number, depth: number): Omit<ContractionPlan, "parts"> => ({
  rows,
  columns,
  perRow,
  perColumn,
  depth,
});

/** Vectors of four per tile row in workgroup memory; the odd stride spreads the rows over the banks. */
export const strideOf = (depth: number): number => depth / 4 + 1;

export const workgroupBytes = (plan: Omit<ContractionPlan, "parts">): number => (plan.rows + plan.columns) * strideOf(plan.depth) * 16;

export const threadsOf = (plan: Omit<ContractionPlan, "parts">): number => (plan.rows / plan.perRow) * (plan.columns / plan.perColumn);

export const planContraction = (terms: readonly Node[], profile: Profile): ContractionPlan => {
  const node = terms[0]!;
  const rows = node.type.shape.at(-2) ?? 1;
  const columns = node.type.shape.at(-1)!;
  const small = (size: Dim, limit: number) => typeof size === "number" && size <= limit;
  const form = ops.get(node.op)!.wgsl;
  const leading = form?.form === "contraction" && form.over === "leading";
  const shape = small(columns, 16)
    ? tile(small(rows, 16) ? 16 : 32, 16, small(rows, 16) ? 1 : 2, 2, 32)
    : small(rows, 16) && leading
      ? tile(16, 32, 2, 2, 32)
      : small(columns, 32) || (small(rows, 32) && leading)
        ? tile(32, 32, 2, 4, 32)
        : small(columns, 512)
          ? tile(64, 64, 4, 4, 16)
          : tile(128, 64, 8, 4, 16);
  if (threadsOf(shape) > profile.invocations || workgroupBytes(shape) > profile.workgroupBytes)
    throw new Error("a tile exceeds its limits profile");
  // A sum over tokens is long and its result small: split it until there are about 128 workgroups.
  let parts = 1;
  if (leading && typeof rows === "number" && typeof columns === "number") {
    const tiles = Math.ceil(rows / shape.rows) * Math.ceil(columns / shape.columns);
    while (parts < 32 && tiles * parts < 128) parts *= 2;
  }
  return { ...shape, parts };
};
