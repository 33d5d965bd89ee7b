// How many kernels a segment becomes: fused as the emitter will, and nothing printed.

import { profiles } from "../emit/profile.ts";
import type { Lowered } from "../programs/lower.ts";
import { fuse } from "./fuse.ts";

/** Kernels of a segment, by its id. */
export const countKernels = ({ job, segments }: Lowered): ((segment: string) => number) => {
  const counts = new Map<string, number>();
  return (segment) => {
    const count = counts.get(segment) ?? fuse(segments.get(segment)!, profiles[job.profile]!).kernels.length;
    counts.set(segment, count);
    return count;
  };
};
