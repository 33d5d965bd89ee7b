// The embedded device: segments as ONNX graphs on ONNX Runtime, with WebAssembly kernels where a segment has such parts. Small jobs
// have lanes (node-lanes.ts): threads that each hold everything and compute a share of a batch, where one operation on all threads
// would be over before the last of them is awake.

import { availableParallelism, cpus } from "node:os";
import { openSession } from "./cpu-session.ts";
import type { Device } from "./device.ts";

export interface CpuOptions {
  /** Threads that compute at once; default: as many as the machine has cores. */
  readonly threads?: number;
}

export const cpuDevice = async (options: CpuOptions = {}): Promise<Device> => {
  const onnx = await import("onnxruntime-node");
  const threads = options.threads ?? availableParallelism();
  return {
    name: "cpu",
    describe: () => `${cpus()[0]?.model.trim() ?? "unknown processor"}, ${threads} threads, ONNX Runtime ${onnx.env.versions.node ?? ""}`,
    open: async (job, read, weights) => openSession(job, read, onnx, threads, weights),
  };
};
