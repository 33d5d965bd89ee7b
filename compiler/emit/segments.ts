// Programs of segments -> files: each distinct segment once as an ONNX graph and once as a WGSL module with its kernels. Loaded
// only to build, so that checking never pays for it.

import type { Job, Segment } from "../../spec/job.ts";
import { fuse } from "../fuse.ts";
import { printKernels } from "../kernels.ts";
import type { Lowered } from "../lower.ts";
import { layOut } from "../place.ts";
import { emitOnnx } from "./onnx.ts";
import { profiles } from "./profile.ts";
import { emitWgsl } from "./wgsl.ts";

/** Fills in the kernels of every segment and prints the files of the bundle. */
export const emitSegments = ({ job, segments }: Lowered): { job: Job; files: Map<string, string | Uint8Array>; kernels: string } => {
  const files = new Map<string, string | Uint8Array>();
  const specs: Record<string, Segment> = {};
  const prints: string[] = [];
  const profile = profiles[job.profile]!;
  let scratch = 0;
  for (const [id, graph] of segments) {
    const spec = job.segments[id]!;
    const fused = fuse(graph, profile);
    const { wgsl, kernels, scratch: between } = emitWgsl(fused);
    prints.push(`segment ${id}\n${printKernels(fused)}`);
    const laid = layOut("scratch", Object.entries(between), job.dims);
    scratch = Math.max(scratch, laid.bytes);
    specs[id] = { ...spec, kernels, scratch: Object.fromEntries(laid.values) };
    files.set(spec.wgsl, wgsl);
    files.set(spec.onnx, emitOnnx(graph));
  }
  return {
    job: { ...job, segments: specs, arenas: { ...job.arenas, ...(scratch > 0 && { scratch }) } },
    files,
    kernels: prints.join("\n\n"),
  };
};
