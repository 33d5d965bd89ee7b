// A compiled pipeline as the cpu device takes it: the job with its parts, and how a file of the bundle is read.

import { emitParts } from "../../compiler/emit/parts.ts";
import type { Lowered } from "../../compiler/programs/lower.ts";
import type { Job, Segment } from "../../spec/job.ts";

/** With `lanes`, shares of a batch are computed in so many. */
export const bundle = (
  { job, segments }: Lowered,
  lanes?: number,
): { readonly job: Job; readonly read: (path: string) => Promise<Uint8Array> } => {
  const files = new Map<string, Uint8Array>();
  const specs: Record<string, Segment> = {};
  let most = 0;
  for (const [id, graph] of segments) {
    const { parts, between, bytes, files: written } = emitParts(graph, id, { sizes: job.dims, shared: lanes === undefined });
    specs[id] = { ...job.segments[id]!, parts, between };
    most = Math.max(most, bytes);
    for (const [path, content] of written) files.set(path, content);
  }
  const emitted = { ...job, segments: specs, arenas: { ...job.arenas, parts: most }, ...(lanes !== undefined && { lanes }) };
  return { job: emitted, read: async (path) => files.get(path)! };
};
