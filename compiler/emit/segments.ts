// Programs of segments -> files: each distinct segment once as parts for the CPU and once as a WGSL module with its kernels. Loaded
// only to build, so that checking never pays for it.

import type { Job, Kernel, Segment, TensorType, Value } from "../../spec/job.ts";
import { fuse } from "../kernels/fuse.ts";
import { printKernels } from "../kernels/kernels.ts";
import type { Lowered } from "../programs/lower.ts";
import { aligned, bytesOf, type Life, pack } from "../programs/place.ts";
import { deviceMemory } from "./device-memory.ts";
import { lanesOf } from "./lanes.ts";
import { emitParts } from "./parts.ts";
import { profiles } from "./profile.ts";
import { emitWgsl } from "./wgsl.ts";

/** Fills in the kernels of every segment and prints the files of the bundle. */
export const emitSegments = ({ job, segments }: Lowered): { job: Job; files: Map<string, string | Uint8Array>; kernels: string } => {
  const files = new Map<string, string | Uint8Array>();
  const specs: Record<string, Segment> = {};
  const prints: string[] = [];
  const profile = profiles[job.profile]!;
  const lanes = lanesOf(job);
  let scratch = 0;
  let mostBetween = 0;
  for (const [id, graph] of segments) {
    const spec = job.segments[id]!;
    const fused = fuse(graph, profile, job.dims);
    const { wgsl, kernels, scratch: inside } = emitWgsl(fused);
    prints.push(`segment ${id}\n${printKernels(fused)}`);
    const laid = layScratch(kernels, inside, job.dims);
    scratch = Math.max(scratch, laid.bytes);
    const {
      parts,
      between,
      bytes,
      files: written,
    } = emitParts(graph, id, {
      sizes: job.dims,
      engineSizes: shareOf(job.dims, lanes ?? 1),
      shared: lanes === undefined,
    });
    mostBetween = Math.max(mostBetween, bytes);
    specs[id] = { ...spec, kernels, scratch: laid.values, parts, between };
    files.set(spec.wgsl, wgsl);
    for (const [path, content] of written) files.set(path, content);
  }
  const arenas = { ...job.arenas, ...(scratch > 0 && { scratch }), ...(mostBetween > 0 && { parts: mostBetween }) };
  const emitted = { ...job, segments: specs, arenas, ...(lanes !== undefined && { lanes }) };
  return {
    job: { ...emitted, plan: { ...job.plan, ...deviceMemory(emitted) } },
    files,
    kernels: prints.join("\n\n"),
  };
};

/** Sizes of one lane's rows: b of them, of n tokens. */
const shareOf = (dims: Readonly<Record<string, number>>, lanes: number): Readonly<Record<string, number>> => {
  const { b, n } = dims;
  return { ...dims, ...(b !== undefined && { b: Math.ceil(b / lanes) }), ...(n !== undefined && { n: Math.ceil(n / lanes) }) };
};

/** What lies between a segment's kernels, each value only as long as a kernel still reads it: one decoded matrix at a time. */
const layScratch = (
  kernels: readonly Kernel[],
  between: Readonly<Record<string, TensorType>>,
  sizes: Readonly<Record<string, number>>,
): { readonly values: Record<string, Value>; readonly bytes: number } => {
  const lives = new Map<string, Life>();
  for (const [i, kernel] of kernels.entries())
    for (const name of [...kernel.bindings.map(({ value }) => value), ...(kernel.scalars ?? [])]) {
      const type = between[name];
      if (type) lives.set(name, { first: lives.get(name)?.first ?? i, last: i, bytes: aligned(bytesOf(type, sizes)) });
    }
  const { offsets, bytes } = pack(lives);
  const values = Object.entries(between).map(([name, type]): [string, Value] => [
    name,
    { ...type, place: { arena: "scratch", offset: offsets.get(name) ?? 0 } },
  ]);
  return { values: Object.fromEntries(values), bytes };
};
