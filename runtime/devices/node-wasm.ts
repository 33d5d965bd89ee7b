// WebAssembly kernels on every core: one shared memory, a worker for each thread but this one, and a kernel that all of them run
// at once, each drawing work from a shared counter. Operands are copied in and results out: ONNX Runtime takes no shared memory,
// and what is copied is small beside what is computed from it. Nothing is awaited: this thread works too, and is done about when the others are.
//
// Memory: [control: 64 bytes][arguments][each thread's scratch][operands], all at multiples of 64, one kernel at a time.

import { setFlagsFromString } from "node:v8";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { CpuMemory } from "./cpu-memory.ts";
import type { Data } from "./device.ts";

export interface WasmKernel {
  /** Of the module; one that was bound before is not compiled again. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Bytes of one thread's scratch. */
  readonly scratch: number;
  readonly sizes: readonly number[];
  readonly inputs: readonly Data[];
  readonly outputs: readonly Data[];
}

export interface WasmKernels {
  /** Binds a module to its operands. */
  readonly bind: (kernel: WasmKernel) => {
    readonly run: () => void;
    /** What `run` of the module is called with. */
    readonly args: readonly number[];
  };
  /** Bytes of memory that only kernels use. */
  readonly bytes: () => number;
  readonly close: () => Promise<void>;
}

// Kernels use fused multiply-add, of the relaxed SIMD proposal: part of WebAssembly 3.0 and of Node from 22 on, behind V8's flag in Node 20.
// The smallest module with it: one function, f32x4.relaxed_madd of three zeros.
const zero = [0xfd, 0x0c, ...new Array<number>(16).fill(0)];
const body = [0, ...zero, ...zero, ...zero, 0xfd, 0x85, 0x02, 0x1a, 0x0b];
const probe = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, body.length + 2, 1, body.length, ...body];
if (!WebAssembly.validate(Uint8Array.from(probe))) setFlagsFromString("--experimental-wasm-relaxed-simd");

/** Places of the control words: units drawn, number of the run, workers that are done, the kernel, and whether a worker failed. */
const word = { units: 0, run: 1, done: 2, kernel: 3, failed: 4, count: 16, scratch: 17, arguments: 18 } as const;
const head = 512;
const page = 65536;
const round64 = (bytes: number): number => Math.ceil(bytes / 64) * 64;

// A worker sleeps until the next run, takes the modules that came meanwhile, and calls its kernel with the arguments that lie in
// memory, the first of which is the scratch, moved on by its own.
const workerSource = `
const { workerData: { memory, port, thread }, receiveMessageOnPort } = require("node:worker_threads");
const words = new Int32Array(memory.buffer, 0, ${head / 4});
const kernels = [];
for (let run = 0; ; ) {
  Atomics.wait(words, ${word.run}, run);
  const next = Atomics.load(words, ${word.run});
  if (next === run) continue;
  run = next;
  try {
    for (let sent; (sent = receiveMessageOnPort(port)); )
      kernels.push(new WebAssembly.Instance(sent.message, { kernel: { memory } }).exports.run);
    const [scratch, ...rest] = words.subarray(${word.arguments}, ${word.arguments} + words[${word.count}]);
    kernels[words[${word.kernel}]](0, scratch + thread * words[${word.scratch}], ...rest);
  } catch {
    Atomics.store(words, ${word.failed}, 1);
  }
  Atomics.add(words, ${word.done}, 1);
  Atomics.notify(words, ${word.done});
}`;

export const createWasmKernels = (threads: number): WasmKernels => {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: page, shared: true });
  const words = new Int32Array(memory.buffer, 0, head / 4);
  const ports: MessagePort[] = [];
  const workers = Array.from({ length: threads - 1 }, (_, i) => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1);
    port1.unref();
    const worker = new Worker(workerSource, { eval: true, workerData: { memory, port: port2, thread: i + 1 }, transferList: [port2] });
    worker.unref();
    return worker;
  });
  const kernels = new Map<string, { readonly index: number; readonly run: (...args: number[]) => void }>();

  const instantiate = (path: string, bytes: Uint8Array) => {
    const known = kernels.get(path);
    if (known) return known;
    const module = new WebAssembly.Module(bytes);
    for (const port of ports) port.postMessage(module);
    const made = {
      index: kernels.size,
      run: new WebAssembly.Instance(module, { kernel: { memory } }).exports.run!,
    };
    kernels.set(path, made);
    return made;
  };

  return {
    bind: ({ path, bytes, scratch, sizes, inputs, outputs }) => {
      const { index, run } = instantiate(path, bytes);
      const own = round64(scratch);
      let end = head + own * threads;
      const addresses = [...inputs, ...outputs].map((data) => {
        const address = end;
        end = round64(end + data.byteLength);
        return address;
      });
      const missing = Math.ceil((end - memory.buffer.byteLength) / page);
      if (missing > 0) memory.grow(missing);
      const place = (data: Data, i: number): Data =>
        new (data.constructor as Float32ArrayConstructor)(memory.buffer as unknown as ArrayBuffer, addresses[i]!, data.length);
      const taken = inputs.map((data, i) => [place(data, i), data] as const);
      const given = outputs.map((data, i) => [data, place(data, inputs.length + i)] as const);
      const list = [head, ...sizes, ...addresses];
      const start = (): void => {
        for (const [to, from] of taken) to.set(from);
        words[word.units] = 0;
        words[word.done] = 0;
        words[word.kernel] = index;
        words[word.count] = list.length;
        words[word.scratch] = own;
        words.set(list, word.arguments);
        Atomics.add(words, word.run, 1);
        Atomics.notify(words, word.run);
        run(0, ...list);
        for (let done = Atomics.load(words, word.done); done < workers.length; done = Atomics.load(words, word.done))
          Atomics.wait(words, word.done, done);
        if (Atomics.load(words, word.failed)) throw new Error(`a thread failed in ${path}`);
        for (const [to, from] of given) to.set(from);
      };
      return { run: start, args: [0, ...list] };
    },
    bytes: () => memory.buffer.byteLength,
    close: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
};

/** On this thread alone, in a memory that holds the operands: nothing is copied. `bytes`: the most that a kernel's scratch takes, and 128. */
export const localKernels = (memory: CpuMemory, bytes: number): WasmKernels => {
  const { offset } = memory.allocate(bytes);
  const counter = new Int32Array(memory.whole!.buffer, offset, 1);
  const kernels = new Map<string, (...args: number[]) => void>();
  return {
    bind: ({ path, bytes, sizes, inputs, outputs }) => {
      const run =
        kernels.get(path) ?? new WebAssembly.Instance(new WebAssembly.Module(bytes), { kernel: { memory: memory.whole! } }).exports.run!;
      kernels.set(path, run);
      const args = [offset, offset + 64, ...sizes, ...[...inputs, ...outputs].map(({ byteOffset }) => byteOffset)];
      const start = (): void => {
        counter[0] = 0;
        run(...args);
      };
      return { run: start, args };
    },
    bytes: () => 0,
    close: async () => undefined,
  };
};
