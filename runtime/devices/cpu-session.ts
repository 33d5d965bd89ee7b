// A job in the memory of this process. A value is a view at its place, so weights, activations and results are handed to the engine
// without a copy. One session of the engine per distinct graph, made when first needed. A run at sizes seen before allocates nothing
// here: tensors are kept per program and sizes.
//
// Trap: an output bound onto memory that the same call reads gives silently wrong numbers, so such an output goes through
// scratch and is copied afterwards.

import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { Call, Job, OnnxPart, Program, Segment, SegmentPart, Value } from "../../spec/job.ts";
import type { ReadWeights } from "../stream.ts";
import { createCpuMemory, type Found, overlap, viewOf } from "./cpu-memory.ts";
import type { Data, Lanes, Session, Share } from "./device.ts";
import { type Lane, type LaneOperand, type LanePart, onnxTypes, openLane } from "./node-lanes.ts";
import { createWasmKernels, localKernels } from "./node-wasm.ts";
import { openRing } from "./ring.ts";
import { arrayTypes, bytesPer, elements, shapeAt, sizeAt } from "./sizes.ts";

type Onnx = typeof import("onnxruntime-node");
type Sizes = Readonly<Record<string, number>>;

/** One part of a call with everything bound. */
interface BoundPart {
  readonly run: () => unknown;
  /** Results that were written beside their place: [from, to]. */
  readonly copies: readonly (readonly [Data, Data])[];
  /** The same for another lane. */
  readonly part: LanePart;
}

interface Bound {
  /** Of the call at these sizes. */
  readonly name: string;
  readonly parts: readonly BoundPart[];
  /** The layer of the ring that it reads. */
  readonly layer: number | undefined;
}

export const openSession = (
  job: Job,
  read: (path: string) => Promise<Uint8Array>,
  onnx: Onnx,
  threads: number,
  weights: ReadWeights | undefined,
): Session => {
  const beside = job.lanes === undefined ? undefined : besideOf(job);
  const memory = createCpuMemory(job, beside && beside.kernels + beside.outputs);
  const { find, at } = memory;
  const ring = openRing(job, async (value) => {
    if (!weights) throw new Error("the job reads weights as it needs them, and nothing was given to read them from");
    await weights(value, at(find(value)) as Float32Array<ArrayBuffer>);
  });
  const kernels = once(() => (beside ? localKernels(memory, beside.kernels) : createWasmKernels(threads)));
  const sessions = new Map<string, Promise<InferenceSession>>();
  const files = new Map<string, Promise<Uint8Array>>();
  const bound = new Map<string, Promise<Bound>>();
  const lastDims = new Map<string, Sizes>();
  let scratch = memory.allocate(beside?.outputs ?? 0);
  let scratchBytes = beside?.outputs ?? 0;
  /** Where rows wait while others take their place. */
  let aside = new ArrayBuffer(0);

  const programOf = (name: string): Program => {
    const program = job.programs[name];
    if (!program) throw new Error(`the job has no program ${name}`);
    return program;
  };

  const fileOf = (path: string): Promise<Uint8Array> => {
    const known = files.get(path) ?? read(path);
    files.set(path, known);
    return known;
  };

  const engineOf = ({ onnx: path, keeps }: OnnxPart, threads: number): Promise<InferenceSession> => {
    const key = `${path} ${threads}`;
    const known = sessions.get(key);
    if (known) return known;
    const made = fileOf(path).then((bytes) => onnx.InferenceSession.create(bytes, sessionSettings(threads, keeps > 0)));
    sessions.set(key, made);
    return made;
  };

  const bindPart = async (
    part: SegmentPart,
    segment: Segment,
    call: Call,
    program: string,
    dims: Sizes,
    threads: number,
  ): Promise<BoundPart> => {
    /** What a port is bound to, or a value between parts. */
    const endOf = (name: string): { readonly value: Value; readonly data: Data } => {
      const input = segment.inputs.findIndex((port) => port.name === name);
      const output = segment.outputs.findIndex((port) => port.name === name);
      const outer = input >= 0 ? call.inputs[input] : call.outputs[output];
      const found: Found =
        outer === undefined ? { value: segment.between[name]!, dims: job.dims, key: `${call.segment}/${name}` } : find(outer, program);
      return { value: found.value, data: at(found, dims) };
    };
    const inputs = part.inputs.map(endOf);
    if ("wasm" in part) {
      const outputs = part.outputs.map(endOf);
      const { run, args } = kernels().bind({
        path: part.wasm,
        bytes: await fileOf(part.wasm),
        scratch: part.scratch,
        sizes: part.sizes.map((size) => sizeAt(size, dims)),
        inputs: inputs.map(({ data }) => data),
        outputs: outputs.map(({ data }) => data),
      });
      return { run, copies: [], part: { wasm: part.wasm, args } };
    }
    const copies: [Data, Data][] = [];
    let used = 0;
    const outputs = part.outputs.map(endOf).map(({ value, data }) => {
      if (!inputs.some((input) => overlap(input.data, data))) return { value, data };
      const start = used;
      used = Math.ceil((used + data.byteLength) / 64) * 64;
      if (scratchBytes < used) {
        scratch = memory.allocate(used);
        scratchBytes = used;
      }
      const kept = viewOf(scratch.buffer, scratch.offset + start, value.dtype, data.length);
      copies.push([kept, data]);
      return { value, data: kept };
    });
    const engine = await engineOf(part, threads);
    const operands = (names: readonly string[], ends: typeof inputs): LaneOperand[] =>
      names.map((name, i) => {
        const { value, data } = ends[i]!;
        return [name, value.dtype, data.byteOffset, data.length, shapeAt(value.shape, dims)];
      });
    const tensors = (names: readonly string[], ends: typeof inputs): Record<string, Tensor> =>
      Object.fromEntries(
        operands(names, ends).map(([name, dtype, , , shape], i) => [
          name,
          new onnx.Tensor(onnxTypes[dtype], ends[i]!.data as Float32Array, shape) as Tensor,
        ]),
      );
    const [feeds, fetches] = [tensors(part.inputs, inputs), tensors(part.outputs, outputs)];
    return {
      run: async () => release(Object.values(await engine.run(feeds, fetches))),
      copies,
      part: {
        onnx: part.onnx,
        keeps: part.keeps > 0,
        feeds: operands(part.inputs, inputs),
        fetches: operands(part.outputs, outputs),
        copies: copies.map(([from, to]) => [from.byteOffset, to.byteOffset, to.byteLength]),
      },
    };
  };

  /** Of a segment, the symbols that its sizes are made of. */
  const symbols = remember((segment) => {
    const { inputs, outputs } = job.segments[segment]!;
    return new Set([...inputs, ...outputs].flatMap(({ shape }) => shape.flatMap((dim) => String(dim).match(/[a-z_]\w*/gi) ?? [])));
  });

  const calls = (program: string, dims: Sizes, threads: number): Promise<readonly Bound[]> =>
    Promise.all(
      programOf(program).calls.map((call, i) => {
        const sizes = Object.keys(dims).filter((symbol) => symbols(call.segment).has(symbol));
        const name = `${program} ${i} ${sizes.map((symbol) => `${symbol}=${dims[symbol]}`).join()}`;
        const key = `${name} ${threads}`;
        const known = bound.get(key);
        if (known) return known;
        const made = bind(name, call, program, dims, threads);
        bound.set(key, made);
        if (bound.size > keptCalls) bound.delete(bound.keys().next().value!);
        return made;
      }),
    );

  const bind = async (name: string, call: Call, program: string, dims: Sizes, threads: number): Promise<Bound> => {
    const segment = job.segments[call.segment]!;
    const parts: BoundPart[] = [];
    for (const part of segment.parts) parts.push(await bindPart(part, segment, call, program, dims, threads));
    return { name, parts, layer: ring.layerOf(call.inputs) };
  };

  const compute = async (bound: readonly Bound[]): Promise<void> => {
    const following = ring.following(bound);
    for (const [i, { parts, layer }] of bound.entries()) {
      if (layer !== undefined) await ring.need(layer);
      ring.ahead(following[i], layer);
      for (const { run, copies } of parts) {
        await run();
        for (const [from, to] of copies) to.set(from);
      }
    }
  };

  // What is read by several lanes is sent to the others when it has changed since they saw it.
  const versions = new Map<string, number>();
  const memoryOf = ({ value, key }: Found): string => ("arena" in value.place ? `arena ${value.place.arena}` : key);
  const changed = (found: Found): void => void versions.set(memoryOf(found), (versions.get(memoryOf(found)) ?? 0) + 1);
  const globals = (program: string, side: "inputs" | "outputs"): Found[] => {
    const { calls, values } = programOf(program);
    const names = new Set(calls.flatMap((call) => call[side]));
    return [...names].filter((name) => values[name] === undefined).map((name) => find(name));
  };
  const written = remember((program) => globals(program, "outputs"));
  /** What a program reads of the job, as ranges of memory. */
  const reads = remember((program) => {
    const ranges = new Map<string, { from: number; to: number }>();
    for (const found of globals(program, "inputs")) {
      const { byteOffset, byteLength } = at(found);
      const { from, to } = ranges.get(memoryOf(found)) ?? { from: byteOffset, to: byteOffset };
      ranges.set(memoryOf(found), { from: Math.min(from, byteOffset), to: Math.max(to, byteOffset + byteLength) });
    }
    return ranges;
  });

  const write: Session["write"] = (name, data, program) => {
    const found = find(name, program);
    const { value } = found;
    const expected = arrayTypes[value.dtype];
    if (!(data instanceof expected)) throw new Error(`${name} is ${value.dtype}, and takes a ${expected.name}`);
    const length = elements(shapeAt(value.shape, found.dims));
    if (data.length > length) throw new Error(`${name} has room for ${length} elements, not ${data.length}`);
    if (!memory.adopt(found, data)) at(found).set(data);
    changed(found);
  };

  const others: { readonly lane: Lane; readonly seen: Map<string, number> }[] = [];
  const runElsewhere = async (number: number, program: string, { dims, values }: Share, sums: readonly Data[]) => {
    others[number] ??= {
      lane: openLane({ pages: memory.whole!.buffer.byteLength / 65536, fileOf, settings: (keeps) => sessionSettings(1, keeps) }),
      seen: new Map(),
    };
    const { lane, seen } = others[number];
    const whole = new Uint8Array(memory.whole!.buffer);
    const news: [number, Uint8Array][] = [];
    for (const [key, { from, to }] of reads(program)) {
      const version = versions.get(key) ?? 0;
      if (seen.get(key) === version) continue;
      seen.set(key, version);
      news.push([from, whole.slice(from, to)]);
    }
    return lane.run({
      calls: (await calls(program, dims, 1)).map(({ name, parts }) => ({ name, parts: parts.map(({ part }) => part) })),
      write: [...news, ...values.map(([name, data]): [number, Uint8Array] => [at(find(name)).byteOffset, bytesOf(data.slice())])],
      read: sums.map(({ byteOffset, byteLength }) => [byteOffset, byteLength]),
    });
  };
  const lanes: Lanes = {
    count: Math.min(job.lanes ?? 1, threads),
    run: async (program, shares, sums) => {
      const totals = sums.map((name) => at(find(name, program)) as Float32Array);
      const [own, ...rest] = shares;
      for (const [name, data] of own!.values) await write(name, data);
      lastDims.set(program, own!.dims);
      const elsewhere = Promise.all(rest.map((share, i) => runElsewhere(i, program, share, totals)));
      // This thread computes too; a lane that failed is told of when it is done.
      elsewhere.catch(() => undefined);
      await compute(await calls(program, own!.dims, 1));
      for (const parts of await elsewhere)
        for (const [i, bytes] of parts.entries()) {
          const part = new Float32Array(bytes.buffer);
          for (let k = 0; k < part.length; k++) totals[i]![k]! += part[k]!;
        }
      for (const found of written(program)) changed(found);
    },
  };

  return {
    ...(lanes.count > 1 && { lanes }),
    write,
    read: async (name, program) => {
      const found = find(name, program);
      const layer = ring.layerOf([found.key]);
      if (layer !== undefined) await ring.need(layer);
      const dims = program === undefined ? undefined : lastDims.get(program);
      return at(found, dims ? { ...found.dims, ...dims } : found.dims).slice();
    },
    writePart: (name, from, data) => {
      const found = find(name);
      at(found).set(data, from);
      changed(found);
    },
    readPart: async (name, from, into) => into.set(at(find(name)).subarray(from, from + into.length)),
    run: async (program, dims) => {
      lastDims.set(program, dims);
      await compute(await calls(program, dims, threads));
      for (const found of written(program)) changed(found);
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
        const data = at(found, sizes);
        changed(found);
        if (forward) {
          for (const [i, source] of from.entries()) if (source !== i) data.copyWithin(i * row, source * row, source * row + kept);
          continue;
        }
        const bytes = from.length * kept * bytesPer[found.value.dtype];
        if (aside.byteLength < bytes) aside = new ArrayBuffer(bytes);
        const old = viewOf(aside, 0, found.value.dtype, from.length * kept);
        for (const [i, source] of from.entries()) if (source !== i) old.set(data.subarray(source * row, source * row + kept), i * kept);
        for (const [i, source] of from.entries()) if (source !== i) data.set(old.subarray(i * kept, (i + 1) * kept), i * row);
      }
    },
    bytes: () =>
      memory.bytes() + aside.byteLength + (kernels.made()?.bytes() ?? 0) + others.reduce((sum, { lane }) => sum + lane.bytes(), 0),
    close: async () => {
      const open = await Promise.allSettled(sessions.values());
      sessions.clear();
      bound.clear();
      await Promise.all([kernels.made()?.close(), ...others.map(({ lane }) => lane.close())]);
      for (const session of open) if (session.status === "fulfilled") await session.value.release();
    },
  };
};

/** What is allocated beside a job's values: what kernels take, and what lies beside an output until it can be written. */
const besideOf = ({ segments, programs, values }: Job): { readonly kernels: number; readonly outputs: number } => {
  const kernels = Object.values(segments).flatMap(({ parts }) => parts.map((part) => ("wasm" in part ? part.scratch : 0)));
  let outputs = 0;
  for (const { calls, dims, values: local } of Object.values(programs))
    for (const call of calls) {
      const over = call.outputs.filter((name) => call.inputs.includes(name)).map((name) => local[name] ?? values[name]!);
      outputs = Math.max(
        outputs,
        over.reduce((sum, { shape, dtype }) => sum + 64 + elements(shapeAt(shape, dims)) * bytesPer[dtype], 0),
      );
    }
  return { kernels: 128 + Math.max(0, ...kernels), outputs };
};

const once = <T>(make: () => T): (() => T) & { readonly made: () => T | undefined } => {
  let made: T | undefined;
  return Object.assign(() => (made ??= make()), { made: () => made });
};

const remember = <T>(make: (name: string) => T): ((name: string) => T) => {
  const made = new Map<string, T>();
  return (name) => {
    const known = made.get(name);
    if (known !== undefined) return known;
    const value = make(name);
    made.set(name, value);
    return value;
  };
};

const bytesOf = (data: Data): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

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

/** Calls at different sizes whose tensors are kept; the oldest go first. */
const keptCalls = 4096;

// Sessions run in turn: threads that go on spinning after a run take the next session's cores, threads that never spin wake up late,
// and planned memory patterns keep a second block per session and are no faster.
const sessionSettings = (threads: number, keeps: boolean) =>
  ({
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
    enableCpuMemArena: keeps,
    enableMemPattern: false,
    extra: { session: { force_spinning_stop: "1" } },
  }) as const;
