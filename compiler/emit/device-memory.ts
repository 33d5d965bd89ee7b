// A job with its parts and kernels -> the bytes that a run of all of it holds on each device: every arena, all memory of values' own, and
// what the device takes beside them, and sums of what methods observe. On the cpu that is what ONNX Runtime keeps for every part and takes
// while the largest one runs, the memory that kernels work in, and new values written beside the old ones; on webgpu what lies between the
// kernels of a segment.

import type { Job, OnnxPart, SegmentPart, TensorType } from "../../spec/job.ts";
import { aligned, bytesOf } from "../programs/place.ts";
import { ofEachLane } from "./lanes.ts";

/** Node and ONNX Runtime in one more thread. */
const laneBytes = 10 * 2 ** 20;

export const deviceMemory = (job: Job): { readonly cpu: number; readonly webgpu: number } => {
  const { scratch = 0, parts = 0, ...arenas } = job.arenas;
  const own = Object.values(job.values).reduce((sum, value) => sum + ("own" in value.place ? bytesOf(value, job.dims) : 0), 0);
  const values = own + Object.values(arenas).reduce((sum, bytes) => sum + bytes, 0);
  const segments = Object.values(job.segments);
  const sessions = segments.flatMap(({ parts: all }) => all.filter((part): part is OnnxPart => "onnx" in part));
  const lanes = job.lanes ?? 1;
  const engine = sessions.reduce((sum, { keeps }) => sum + keeps, 0) + Math.max(0, ...sessions.map((one) => one.engine));
  const read = Object.entries(arenas).reduce((sum, [name, bytes]) => sum + (ofEachLane.test(name) ? bytes : 0), own);
  const copies = (lanes - 1) * (read + laneBytes);
  const kernels = Math.max(
    0,
    ...segments.flatMap(({ parts: all, inputs, outputs, between }) => {
      const typeOf = (name: string): TensorType => between[name] ?? [...inputs, ...outputs].find((port) => port.name === name)!;
      // Lanes' kernels work on operands in their place.
      return all.map((part) => ("wasm" in part && job.lanes === undefined ? operandBytes(part, typeOf, job.dims) : 0));
    }),
  );
  const observed = Math.max(0, ...Object.entries(job.plan).flatMap(([what, bytes]) => (what.startsWith("observed ") ? [bytes] : [])));
  return { cpu: values + parts + copies + lanes * engine + kernels + besideBytes(job) + observed, webgpu: values + scratch };
};

const operandBytes = (part: SegmentPart, typeOf: (name: string) => TensorType, sizes: Readonly<Record<string, number>>): number =>
  [...part.inputs, ...part.outputs].reduce((sum, name) => sum + bytesOf(typeOf(name), sizes), 0);

/** What a call writes over its own inputs lies beside them first. */
const besideBytes = ({ programs, values }: Job): number => {
  let most = 0;
  for (const { calls, dims, values: local } of Object.values(programs))
    for (const { inputs, outputs } of calls) {
      const over = outputs.filter((name) => inputs.includes(name));
      most = Math.max(
        most,
        over.reduce((sum, name) => sum + aligned(bytesOf(local[name] ?? values[name]!, dims)), 0),
      );
    }
  return most;
};
