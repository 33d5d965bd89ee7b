// Other lanes of the cpu device: threads that each have the job's memory, laid out as this thread's (cpu-memory.ts), and compute a share
// of a batch in it, one operation after the other: what is small would be over before the threads of one operation have met. A lane knows no
// job: it is told what to write where, which graphs and kernels to run on which addresses, and what to read.

import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import type { DType } from "../../spec/job.ts";
import { bytesPer } from "./sizes.ts";

export type LaneOperand = readonly [name: string, dtype: DType, offset: number, length: number, shape: readonly number[]];

export type LanePart =
  | {
      readonly onnx: string;
      readonly keeps: boolean;
      readonly feeds: readonly LaneOperand[];
      readonly fetches: readonly LaneOperand[];
      /** Afterwards: from an address to another, so many bytes. */
      readonly copies: readonly (readonly [from: number, to: number, bytes: number])[];
    }
  | { readonly wasm: string; readonly args: readonly number[] };

export interface LaneTask {
  /** In order. The same name always means the same parts. */
  readonly calls: readonly { readonly name: string; readonly parts: readonly LanePart[] }[];
  readonly write: readonly (readonly [offset: number, bytes: Uint8Array])[];
  readonly read: readonly (readonly [offset: number, bytes: number])[];
}

export interface Lane {
  /** One at a time. Gives what was to be read. */
  readonly run: (task: LaneTask) => Promise<readonly Uint8Array[]>;
  /** Of its memory, how much it has touched. */
  readonly bytes: () => number;
  readonly close: () => Promise<unknown>;
}

export const onnxTypes = { f32: "float32", i32: "int32", u32: "uint32", u8: "uint8", f16: "float16", bf16: "uint16" } as const;

/** By dtype, what a view on memory is made with. */
const arrayNames = {
  f32: "Float32Array",
  i32: "Int32Array",
  u32: "Uint32Array",
  u8: "Uint8Array",
  f16: "Uint16Array",
  bf16: "Uint16Array",
};

// `release`: see cpu-session.ts.
const laneSource = `
const { parentPort, workerData: { engine, pages, types, arrays }, MessageChannel } = require("node:worker_threads");
const onnx = require(engine);
const memory = new WebAssembly.Memory({ initial: pages });
const graphs = new Map(), kernels = new Map(), scripts = new Map();
const nowhere = new MessageChannel().port1;
nowhere.close();
const release = (results) => {
  const buffers = results.map(({ data }) => data.buffer).filter(({ byteLength }) => byteLength > 1 << 16);
  if (buffers.length > 0) nowhere.postMessage(null, buffers);
};
const tensors = (operands) =>
  Object.fromEntries(
    operands.map(([name, dtype, offset, length, shape]) => [
      name,
      new onnx.Tensor(types[dtype], new globalThis[arrays[dtype]](memory.buffer, offset, length), shape),
    ]),
  );
const bind = (part) => {
  if (part.args) {
    const counter = new Int32Array(memory.buffer, part.args[0], 1);
    return () => {
      counter[0] = 0;
      kernels.get(part.wasm)(...part.args);
    };
  }
  const [feeds, fetches] = [tensors(part.feeds), tensors(part.fetches)];
  return async () => {
    release(Object.values(await graphs.get(part.onnx).run(feeds, fetches)));
    const all = new Uint8Array(memory.buffer);
    for (const [from, to, bytes] of part.copies) all.copyWithin(to, from, from + bytes);
  };
};
parentPort.on("message", async ({ files, write, forget, calls, read }) => {
  try {
    if (forget) scripts.clear();
    for (const { path, bytes, settings } of files)
      if (settings) graphs.set(path, await onnx.InferenceSession.create(bytes, settings));
      else kernels.set(path, new WebAssembly.Instance(new WebAssembly.Module(bytes), { kernel: { memory } }).exports.run);
    const all = new Uint8Array(memory.buffer);
    for (const [offset, bytes] of write) all.set(bytes, offset);
    for (const { name, parts } of calls) {
      if (parts) scripts.set(name, parts.map(bind));
      for (const run of scripts.get(name)) await run();
    }
    parentPort.postMessage({ read: read.map(([offset, bytes]) => all.slice(offset, offset + bytes)) });
  } catch (error) {
    parentPort.postMessage({ error: String(error?.stack ?? error) });
  }
});`;

/** Calls at different sizes that a lane remembers; then it forgets all of them. */
const keptCalls = 4096;

export interface LaneOptions {
  /** Of the memory, which has the same size in every lane. */
  readonly pages: number;
  readonly fileOf: (path: string) => Promise<Uint8Array>;
  readonly settings: (keeps: boolean) => object;
}

export const openLane = ({ pages, fileOf, settings }: LaneOptions): Lane => {
  const engine = createRequire(import.meta.url).resolve("onnxruntime-node");
  const worker = new Worker(laneSource, { eval: true, workerData: { engine, pages, types: onnxTypes, arrays: arrayNames } });
  let pending: { readonly resolve: (read: readonly Uint8Array[]) => void; readonly reject: (error: Error) => void } | undefined;
  const end = (error?: Error, read: readonly Uint8Array[] = []): void => {
    worker.unref();
    if (error) pending?.reject(error);
    else pending?.resolve(read);
    pending = undefined;
  };
  worker.on("message", ({ error, read }: { readonly error?: string; readonly read?: readonly Uint8Array[] }) =>
    end(error === undefined ? undefined : new Error(error), read),
  );
  worker.on("error", end);
  worker.on("exit", (code) => end(new Error(`a lane ended with code ${code}`)));
  worker.unref();
  const sent = new Set<string>();
  const known = new Set<string>();
  const touched = new Map<number, number>();
  const touch = (offset: number, bytes: number): void => void touched.set(offset, Math.max(touched.get(offset) ?? 0, offset + bytes));

  const missing = async (parts: readonly LanePart[]): Promise<readonly object[]> => {
    const files: object[] = [];
    for (const part of parts) {
      const path = "onnx" in part ? part.onnx : part.wasm;
      if (sent.has(path)) continue;
      sent.add(path);
      files.push({ path, bytes: await fileOf(path), ...("onnx" in part && { settings: settings(part.keeps) }) });
    }
    return files;
  };

  return {
    run: async ({ calls, write, read }) => {
      const forget = known.size > keptCalls;
      if (forget) known.clear();
      const news = calls.filter(({ name }) => !known.has(name));
      const files = await missing(news.flatMap(({ parts }) => parts));
      for (const [offset, bytes] of write) touch(offset, bytes.byteLength);
      for (const { name, parts } of news) {
        known.add(name);
        for (const part of parts)
          if ("onnx" in part)
            for (const [, dtype, offset, length] of [...part.feeds, ...part.fetches]) touch(offset, length * bytesPer[dtype]);
      }
      return new Promise((resolve, reject) => {
        pending = { resolve, reject };
        worker.ref();
        worker.postMessage({ files, write, forget, calls: calls.map((call) => (news.includes(call) ? call : { name: call.name })), read });
      });
    },
    bytes: () => {
      let [sum, end] = [0, 0];
      for (const [from, to] of [...touched].sort((a, b) => a[0] - b[0])) {
        sum += Math.max(0, to - Math.max(from, end));
        end = Math.max(end, to);
      }
      return sum;
    },
    close: () => worker.terminate(),
  };
};
