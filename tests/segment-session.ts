// One segment opened on the cpu device, as a job of one program "p" that calls it once.

import type { Emitted } from "../compiler/emit/parts.ts";
import type { SegmentGraph } from "../compiler/graph/graph.ts";
import { aligned, bytesOf } from "../compiler/programs/place.ts";
import { cpuDevice } from "../runtime/devices/cpu.ts";
import type { Session } from "../runtime/devices/device.ts";
import type { Value } from "../spec/job.ts";
import { emptyJob } from "./runtime/job.ts";

export const openParts = async (
  segment: SegmentGraph,
  { parts, between, bytes }: Emitted,
  largest: Readonly<Record<string, number>>,
  { threads, shared }: { readonly threads: number; readonly shared: boolean },
  read: (path: string) => Promise<Uint8Array>,
): Promise<Session> => {
  let offset = 0;
  const values: Record<string, Value> = {};
  for (const { name, node } of [...segment.inputs, ...segment.outputs]) {
    values[name] = { ...node.type, place: { arena: "a", offset } };
    offset += aligned(bytesOf(node.type, largest));
  }
  const names = { inputs: segment.inputs.map(({ name }) => name), outputs: segment.outputs.map(({ name }) => name) };
  const port = ({ name, node }: SegmentGraph["inputs"][number]) => ({ name, ...node.type });
  const ports = { inputs: segment.inputs.map(port), outputs: segment.outputs.map(port) };
  const job = emptyJob({
    dims: largest,
    arenas: { a: offset, parts: bytes },
    ...(!shared && { lanes: 2 }),
    segments: { s: { ...ports, parts, between, wgsl: "", kernels: [], scratch: {}, flops: 0 } },
    programs: { p: { values, calls: [{ segment: "s", ...names }], ...names, dims: largest, peak: offset, flops: 0 } },
  });
  return (await cpuDevice({ threads })).open(job, read);
};
