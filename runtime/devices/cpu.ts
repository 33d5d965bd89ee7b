// The embedded device: segments as ONNX graphs on ONNX Runtime, with WebAssembly kernels where a segment has such parts. Arenas are
// ArrayBuffers, and a value is a view at its place, so weights, activations and results are handed over without a copy. One session
// per distinct graph, made when first needed. A run at sizes seen before allocates nothing here: tensors are kept per program and sizes.
//
// Trap: an output bound onto memory that the same call reads gives silently wrong numbers, so such an output goes through
// scratch and is copied afterwards.

import { availableParallelism, cpus } from "node:os";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { Call, DType, Job, OnnxPart, Program, Segment, SegmentPart, Value } from "../../spec/job.ts";
import type { Data, Device, Session } from "./device.ts";
import { createWasmKernels, type WasmKernels } from "./node-wasm.ts";
import { bytesPer, elements, shapeAt, sizeAt } from "./sizes.ts";

export interface CpuOptions {
  /** Threads of one operation; default: as many as the machine has cores. */
  readonly threads?: number;
}

const arrays = { f32: Float32Array, i32: Int32Array, u32: Uint32Array, u8: Uint8Array, f16: Uint16Array, bf16: Uint16Array } as const;
const onnxTypes = { f32: "float32", i32: "int32", u32: "uint32", u8: "uint8", f16: "float16", bf16: "uint16" } as const;

const view = (buffer: ArrayBufferLike, offset: number, dtype: DType, length: number): Data =>
  new arrays[dtype](buffer as ArrayBuffer, offset, length);

/** One part of a call with everything bound. */
interface Bound {
  readonly run: () => unknown;
  /** Results that were written beside their place: [from, to]. */
  readonly copies: readonly (readonly [Data, Data])[];
}

type Onnx = typeof import("onnxruntime-node");

const overlap = (a: Data, b: Data): boolean =>
  a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;

const openSession = (job: Job, read: (path: string) => Promise<Uint8Array>, onnx: Onnx, threads: number): Session => {
  const arenas = new Map<string, ArrayBuffer>();
  const own = new Map<string, Data>();
  const sessions = new Map<string, Promise<InferenceSession>>();
  const modules = new Map<string, Promise<Uint8Array>>();
  let kernels: WasmKernels | undefined;
  const bound = new Map<string, Promise<readonly Bound[]>>();
  const lastDims = new Map<string, Readonly<Record<string, number>>>();
  let scratch = new ArrayBuffer(0);
  /** Where rows wait while others take their place. */
  let beside = new ArrayBuffer(0);

  const programOf = (name: string): Program => {
    const program = job.programs[name];
    if (!program) throw new Error(`the job has no program ${name}`);
    return program;
  };
  const find = (name: string, program?: string): { value: Value; dims: Readonly<Record<string, number>>; key: string } => {
    const local = program === undefined ? undefined : programOf(program).values[name];
    if (local) return { value: local, dims: programOf(program!).dims, key: `${program}/${name}` };
    const value = job.values[name];
    if (!value) throw new Error(`the job has no value ${name}${program === undefined ? "" : `, nor has its program ${program}`}`);
    return { value, dims: job.dims, key: name };
  };

  const arena = (name: string): ArrayBuffer => {
    const known = arenas.get(name);
    if (known) return known;
    const size = job.arenas[name];
    if (size === undefined) throw new Error(`the job has no arena ${name}`);
    const made = new ArrayBuffer(size);
    arenas.set(name, made);
    return made;
  };

  /** The value's memory at these sizes. Memory of its own is made at the largest sizes, once. */
  const memory = ({ value, dims, key }: ReturnType<typeof find>, at: Readonly<Record<string, number>> = dims): Data => {
    const length = elements(shapeAt(value.shape, at));
    if ("arena" in value.place) return view(arena(value.place.arena), value.place.offset, value.dtype, length);
    if ("paged" in value.place) throw new Error(`${key} lies outside the device's memory`);
    let whole = own.get(key);
    if (!whole) {
      whole = new arrays[value.dtype](elements(shapeAt(value.shape, dims)));
      own.set(key, whole);
    }
    return length === whole.length ? whole : view(whole.buffer, whole.byteOffset, value.dtype, length);
  };

  const sessionOf = ({ onnx: path, keeps }: OnnxPart): Promise<InferenceSession> => {
    const known = sessions.get(path);
    if (known) return known;
    const made = read(path).then((bytes) =>
      onnx.InferenceSession.create(bytes, {
        executionProviders: ["cpu"],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: "sequential",
        graphOptimizationLevel: "all",
        logSeverityLevel: 3,
        enableCpuMemArena: keeps,
        ...sessionSettings,
      }),
    );
    sessions.set(path, made);
    return made;
  };

  const moduleOf = (path: string): Promise<Uint8Array> => {
    const known = modules.get(path) ?? read(path);
    modules.set(path, known);
    return known;
  };

  const bind = async (
    part: SegmentPart,
    segment: Segment,
    call: Call,
    program: string,
    dims: Readonly<Record<string, number>>,
  ): Promise<Bound> => {
    /** What a port is bound to, or a value between parts. */
    const endOf = (name: string): { readonly value: Value; readonly data: Data } => {
      const input = segment.inputs.findIndex((port) => port.name === name);
      const output = segment.outputs.findIndex((port) => port.name === name);
      const outer = input >= 0 ? call.inputs[input] : call.outputs[output];
      const found =
        outer === undefined ? { value: segment.between[name]!, dims: job.dims, key: `${call.segment}/${name}` } : find(outer, program);
      return { value: found.value, data: memory(found, dims) };
    };
    const inputs = part.inputs.map(endOf);
    const copies: [Data, Data][] = [];
    let used = 0;
    const outputs = part.outputs.map(endOf).map(({ value, data }) => {
      if ("wasm" in part || !inputs.some((input) => overlap(input.data, data))) return { value, data };
      const start = used;
      used = Math.ceil((used + data.byteLength) / 64) * 64;
      if (scratch.byteLength < used) scratch = new ArrayBuffer(used);
      const kept = view(scratch, start, value.dtype, data.length);
      copies.push([kept, data]);
      return { value, data: kept };
    });
    if ("wasm" in part) {
      kernels ??= createWasmKernels(threads);
      const run = kernels.bind({
        path: part.wasm,
        bytes: await moduleOf(part.wasm),
        scratch: part.scratch,
        sizes: part.sizes.map((size) => sizeAt(size, dims)),
        inputs: inputs.map(({ data }) => data),
        outputs: outputs.map(({ data }) => data),
      });
      return { run, copies };
    }
    const session = await sessionOf(part);
    const tensors = (names: readonly string[], ends: typeof inputs): Record<string, Tensor> =>
      Object.fromEntries(
        names.map((name, i) => {
          const { value, data } = ends[i]!;
          return [name, new onnx.Tensor(onnxTypes[value.dtype], data as Float32Array, shapeAt(value.shape, dims)) as Tensor];
        }),
      );
    const [feeds, fetches] = [tensors(part.inputs, inputs), tensors(part.outputs, outputs)];
    return { run: async () => release(Object.values(await session.run(feeds, fetches))), copies };
  };

  const calls = (program: string, dims: Readonly<Record<string, number>>): Promise<readonly Bound[]> => {
    const symbols = Object.keys(dims).sort();
    const key = `${program} ${symbols.map((symbol) => `${symbol}=${dims[symbol]}`).join()}`;
    const known = bound.get(key);
    if (known) return known;
    const made = (async () => {
      const list: Bound[] = [];
      for (const call of programOf(program).calls) {
        const segment = job.segments[call.segment]!;
        for (const part of segment.parts) list.push(await bind(part, segment, call, program, dims));
      }
      return list;
    })();
    bound.set(key, made);
    if (bound.size > keptSizes) bound.delete(bound.keys().next().value!);
    return made;
  };

  return {
    write: (name, data, program) => {
      const found = find(name, program);
      const { value, key } = found;
      const expected = arrays[value.dtype];
      if (!(data instanceof expected)) throw new Error(`${name} is ${value.dtype}, and takes a ${expected.name}`);
      const length = elements(shapeAt(value.shape, found.dims));
      if (data.length > length) throw new Error(`${name} has room for ${length} elements, not ${data.length}`);
      const adopt = "own" in value.place && data.length === length && !own.has(key) && data.byteOffset % bytesPer[value.dtype] === 0;
      if (adopt) own.set(key, data);
      else memory(found).set(data);
    },
    read: async (name, program) => {
      const found = find(name, program);
      const dims = program === undefined ? undefined : lastDims.get(program);
      return memory(found, dims ? { ...found.dims, ...dims } : found.dims).slice();
    },
    writePart: (name, from, data) => memory(find(name)).set(data, from),
    readPart: async (name, from, into) => into.set(memory(find(name)).subarray(from, from + into.length)),
    run: async (program, dims) => {
      lastDims.set(program, dims);
      for (const { run, copies } of await calls(program, dims)) {
        await run();
        for (const [from, to] of copies) to.set(from);
      }
    },
    move: (names, from, dims, slots) => {
      // Rows that move towards the front in order need no copy beside: nothing is read after it was written.
      const forward = from.every((source, i) => source >= i && (i === 0 || source > from[i - 1]!));
      for (const name of names) {
        const found = find(name);
        const sizes = { ...found.dims, ...dims };
        const shape = shapeAt(found.value.shape, sizes);
        const row = elements(shape.slice(1));
        const kept = Math.min(slots, shape[1]!) * elements(shape.slice(2));
        const data = memory(found, sizes);
        if (forward) {
          for (const [i, source] of from.entries()) if (source !== i) data.copyWithin(i * row, source * row, source * row + kept);
          continue;
        }
        const bytes = from.length * kept * bytesPer[found.value.dtype];
        if (beside.byteLength < bytes) beside = new ArrayBuffer(bytes);
        const old = view(beside, 0, found.value.dtype, from.length * kept);
        for (const [i, source] of from.entries()) if (source !== i) old.set(data.subarray(source * row, source * row + kept), i * kept);
        for (const [i, source] of from.entries()) if (source !== i) data.set(old.subarray(i * kept, (i + 1) * kept), i * row);
      }
    },
    prepare: async (program) => {
      const parts = programOf(program).calls.flatMap((call) => job.segments[call.segment]!.parts);
      await Promise.all(parts.map((part) => ("wasm" in part ? moduleOf(part.wasm) : sessionOf(part))));
    },
    bytes: () => {
      let total = scratch.byteLength + beside.byteLength + (kernels?.bytes() ?? 0);
      for (const buffer of arenas.values()) total += buffer.byteLength;
      for (const data of own.values()) total += data.byteLength;
      return total;
    },
    close: async () => {
      const open = await Promise.allSettled(sessions.values());
      sessions.clear();
      bound.clear();
      await kernels?.close();
      for (const session of open) if (session.status === "fulfilled") await session.value.release();
    },
  };
};

/**
 * The engine's binding returns a copy of every output beside the memory that was given for it. Left to the garbage collector, copies of
 * many megabytes pile up between two collections; moved to a port that is closed, their memory is free at once.
 */
const release = (results: readonly Tensor[]): void => {
  const buffers = results.map(({ data }) => (data as Float32Array).buffer as ArrayBuffer).filter(({ byteLength }) => byteLength > 1 << 16);
  if (buffers.length > 0) nowhere.postMessage(null, buffers);
};

const nowhere = new MessageChannel().port1;
nowhere.close();

/** Different sizes of programs whose tensors are kept; the oldest go first. */
const keptSizes = 256;

// Measured with four sessions of one transformer block each, run in turn on two cores: threads that go on spinning after a run
// take the next session's cores (2.4 times slower at width 64, 1.3 at 256), threads that never spin wake up late (1.2 and 1.1),
// and planned memory patterns keep a second block per session (a sixth more memory, no faster).
const sessionSettings = {
  enableMemPattern: false,
  extra: { session: { force_spinning_stop: "1" } },
};

export const cpuDevice = async (options: CpuOptions = {}): Promise<Device> => {
  const onnx = await import("onnxruntime-node");
  const threads = options.threads ?? availableParallelism();
  return {
    name: "cpu",
    describe: () => `${cpus()[0]?.model.trim() ?? "unknown processor"}, ${threads} threads, ONNX Runtime ${onnx.env.versions.node ?? ""}`,
    open: async (job, read) => openSession(job, read, onnx, threads),
  };
};
