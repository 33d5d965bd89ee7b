// The GPU device: segments as WGSL kernels. Each arena is one GPU buffer and a value a range of it. Pipelines are made once, in
// parallel; what a program dispatches at given sizes is listed once and replayed: one command encoder and, unless a copy stands
// between, one compute pass per run, in which every dispatch sees what the earlier ones wrote.
//
// A lost device or a refused kernel is remembered and thrown by the next call: WebGPU reports them on the side.

import type { Call, Job, Kernel, Program, Value } from "../../spec/job.ts";
import type { Data, Device, Session } from "./device.ts";
import { arrayTypes, bytesPer, elements, shapeAt, sizeAt } from "./sizes.ts";
import { type Found, findAdapter, hasHalves } from "./webgpu-adapter.ts";
import { type Access, accessOf, layoutsOf, type Place, sectionOf, variantOf } from "./webgpu-variant.ts";

export { findAdapter } from "./webgpu-adapter.ts";

// Constants of WebGPU's IDL, which Node has no globals for.
const usage = { mapRead: 1, copySource: 4, copyTarget: 8, uniform: 64, storage: 128 } as const;
const computeStage = 4;
const mapForReading = 1;

/** Bytes per write: larger ones are cut, so that staging memory stays small. */
const slice = 1 << 25;

/** Runs the host may be ahead of the GPU. */
const ahead = 2;

type Dims = Readonly<Record<string, number>>;

interface Held extends Place {
  readonly buffer: GPUBuffer;
}

interface Copy {
  readonly from: Held;
  readonly to: GPUBuffer;
  readonly at: number;
  readonly bytes: number;
}

interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly counts: readonly [number, number, number];
  /** Made before the dispatch: values that are read from a copy, and scalars on their way into a uniform. */
  readonly copies: readonly Copy[];
}

const whole = (bytes: number): number => Math.max(16, Math.ceil(bytes / 4) * 4);

const openSession = (job: Job, read: (path: string) => Promise<Uint8Array>, device: GPUDevice): Session => {
  const buffers = new Map<string, GPUBuffer>();
  const modules = new Map<string, Promise<string>>();
  const pipelines = new Map<string, Promise<GPUComputePipeline>>();
  const layouts = new Map<string, { layout: GPUBindGroupLayout; whole: GPUPipelineLayout }>();
  const uniforms = new Map<string, GPUBuffer>();
  const plans = new Map<string, Promise<readonly Dispatch[]>>();
  const lastDims = new Map<string, Dims>();
  const inFlight: Promise<undefined>[] = [];
  let allocated = 0;
  let failure: Error | undefined;
  let closed = false;

  void device.lost.then(({ reason, message }) => {
    if (!closed) failure ??= new Error(`the GPU was lost (${reason}): ${message}`);
  });
  device.addEventListener("uncapturederror", (event) => {
    failure ??= new Error(`the GPU refused a command: ${event.error.message}`);
  });
  const check = (): void => {
    if (closed) throw new Error("the session is closed");
    if (failure) throw failure;
  };

  const programOf = (name: string): Program => {
    const program = job.programs[name];
    if (!program) throw new Error(`the job has no program ${name}`);
    return program;
  };
  const find = (name: string, program?: string): { value: Value; dims: Dims; key: string } => {
    const local = program === undefined ? undefined : programOf(program).values[name];
    if (local) return { value: local, dims: programOf(program!).dims, key: `${program}/${name}` };
    const value = job.values[name];
    if (!value) throw new Error(`the job has no value ${name}${program === undefined ? "" : `, nor has its program ${program}`}`);
    return { value, dims: job.dims, key: name };
  };
  const allocate = (key: string, bytes: number): GPUBuffer => {
    const known = buffers.get(key);
    if (known) return known;
    const size = whole(bytes);
    if (size > device.limits.maxBufferSize)
      throw new Error(`${key} takes ${size} bytes, and this GPU's largest buffer has ${device.limits.maxBufferSize}`);
    const made = device.createBuffer({ label: key, size, usage: usage.storage | usage.copySource | usage.copyTarget });
    buffers.set(key, made);
    allocated += size;
    return made;
  };
  const bytesAt = (value: Value, dims: Dims): number => elements(shapeAt(value.shape, dims)) * bytesPer[value.dtype];
  const hold = (value: Value, dims: Dims, key: string): Held => {
    const bytes = bytesAt(value, dims);
    if ("own" in value.place) return { buffer: allocate(`own ${key}`, bytes), offset: 0, bytes };
    if ("paged" in value.place) throw new Error(`${key} lies outside the device's memory`);
    const { arena, offset } = value.place;
    const size = job.arenas[arena];
    if (size === undefined) throw new Error(`the job has no arena ${arena}`);
    return { buffer: allocate(`arena ${arena}`, size), offset, bytes };
  };

  const pipelineOf = (text: string, entry: string, access: readonly Access[], sizes: boolean): Promise<GPUComputePipeline> => {
    const known = pipelines.get(text);
    if (known) return known;
    const made = (async () => {
      const module = device.createShaderModule({ label: entry, code: text });
      try {
        return await device.createComputePipelineAsync({
          label: entry,
          layout: layoutOf(access, sizes).whole,
          compute: { module, entryPoint: entry },
        });
      } catch (error) {
        const { messages } = await module.getCompilationInfo();
        const first = messages.find((m) => m.type === "error");
        const line = first && text.split("\n")[first.lineNum - 1];
        throw new Error(
          `kernel ${entry}: ${first ? `${first.message} at line ${first.lineNum}: ${line}` : error instanceof Error ? error.message : String(error)}`,
        );
      }
    })();
    pipelines.set(text, made);
    return made;
  };

  const layoutOf = (access: readonly Access[], sizes: boolean) => {
    const kinds =
      access.map((kind) => (typeof kind === "object" ? "-" : kind === "read" || kind === "beside" ? "r" : "w")).join("") +
      (sizes ? "u" : "");
    const known = layouts.get(kinds);
    if (known) return known;
    const entries: GPUBindGroupLayoutEntry[] = [...kinds].flatMap((kind, binding) =>
      kind === "-"
        ? []
        : [
            {
              binding,
              visibility: computeStage,
              buffer: { type: kind === "r" ? "read-only-storage" : kind === "w" ? "storage" : "uniform" } as const,
            },
          ],
    );
    const layout = device.createBindGroupLayout({ entries });
    const made = { layout, whole: device.createPipelineLayout({ bindGroupLayouts: [layout] }) };
    layouts.set(kinds, made);
    return made;
  };

  /** The sizes, and room for scalars after them; one that holds scalars is its kernel's own. */
  const uniformOf = (symbols: readonly string[], dims: Dims, scalars: number): GPUBuffer => {
    const values = symbols.map((symbol) => sizeAt(symbol, dims));
    const key = scalars ? `${values.join()} and scalars ${uniforms.size}` : values.join();
    const known = uniforms.get(key);
    if (known) return known;
    const size = Math.ceil((values.length + scalars) / 4) * 16;
    const made = device.createBuffer({ size, usage: usage.uniform | usage.copyTarget });
    const data = new Uint32Array(size / 4);
    data.set(values);
    device.queue.writeBuffer(made, 0, data);
    uniforms.set(key, made);
    return made;
  };

  const countsOf = (kernel: Kernel, dims: Dims): [number, number, number] => {
    const counts: [number, number, number] = [1, 1, 1];
    kernel.workgroups.forEach(([numerator, denominator], i) => {
      counts[i] = Math.ceil(sizeAt(numerator, dims) / denominator);
    });
    // Kernels whose groups are numbered along x alone read their number from x and y.
    const limit = device.limits.maxComputeWorkgroupsPerDimension;
    if (counts[0] > limit && counts[1] === 1) {
      counts[1] = Math.ceil(counts[0] / limit);
      counts[0] = limit;
    }
    if (counts.some((count) => count > limit))
      throw new Error(`kernel ${kernel.entry} takes ${counts.join(" x ")} workgroups; this GPU has ${limit} per dimension`);
    return counts;
  };

  /** The dispatches of one call. Ranges are bound at the largest sizes, so only counts and uniforms depend on the sizes. */
  const planCall = async (program: string, call: Call, dims: Dims): Promise<readonly Dispatch[]> => {
    const segment = job.segments[call.segment]!;
    const held = new Map<string, Held>();
    const ports = [
      ...segment.inputs.map((port, i) => [port.name, call.inputs[i]!] as const),
      ...segment.outputs.map((port, i) => [port.name, call.outputs[i]!] as const),
    ];
    for (const [port, name] of ports) {
      const { value, dims: largest, key } = find(name, program);
      held.set(port, hold(value, largest, key));
    }
    for (const [name, value] of Object.entries(segment.scratch))
      held.set(name, hold(value, { ...job.dims, ...programOf(program).dims }, `${call.segment}/${name}`));
    const placeOf = (kernel: Kernel, value: string): Held => {
      const place = held.get(value);
      if (!place) throw new Error(`kernel ${kernel.entry} of ${call.segment} binds ${value}, which is no port and no scratch`);
      return place;
    };
    let module = modules.get(segment.wgsl);
    if (!module) {
      module = read(segment.wgsl).then((bytes) => new TextDecoder().decode(bytes));
      modules.set(segment.wgsl, module);
    }
    const text = await module;
    return Promise.all(
      segment.kernels.map(async (kernel): Promise<Dispatch> => {
        const section = sectionOf(text, kernel.entry);
        const places = kernel.bindings.map(({ value }) => placeOf(kernel, value));
        const access = accessOf(kernel.bindings, places, layoutsOf(section));
        const scalars = kernel.scalars ?? [];
        const sizes = kernel.symbols.length + scalars.length > 0;
        const pipeline = await pipelineOf(variantOf(section, access), kernel.entry, access, sizes);
        const copies: Copy[] = [];
        const entries: GPUBindGroupEntry[] = places.flatMap((place, binding) => {
          const kind = access[binding]!;
          if (typeof kind === "object") return [];
          const size = whole(place.bytes);
          if (size > device.limits.maxStorageBufferBindingSize)
            throw new Error(
              `${kernel.bindings[binding]!.value} takes ${size} bytes, and this GPU binds at most ${device.limits.maxStorageBufferBindingSize}`,
            );
          if (kind !== "beside")
            return [
              { binding, resource: { buffer: place.buffer, offset: place.offset, size: Math.min(size, place.buffer.size - place.offset) } },
            ];
          const beside = allocate(`beside ${call.segment}/${kernel.entry}/${binding}`, place.bytes);
          copies.push({ from: place, to: beside, at: 0, bytes: Math.min(whole(place.bytes), place.buffer.size - place.offset) });
          return [{ binding, resource: { buffer: beside } }];
        });
        if (sizes) {
          const uniform = uniformOf(kernel.symbols, dims, scalars.length);
          entries.push({ binding: places.length, resource: { buffer: uniform } });
          scalars.forEach((name, i) => {
            copies.push({ from: placeOf(kernel, name), to: uniform, at: 4 * (kernel.symbols.length + i), bytes: 4 });
          });
        }
        const group = device.createBindGroup({ label: kernel.entry, layout: layoutOf(access, sizes).layout, entries });
        return { pipeline, group, counts: countsOf(kernel, dims), copies };
      }),
    );
  };

  const planOf = (program: string, dims: Dims): Promise<readonly Dispatch[]> => {
    const key = `${program} ${Object.keys(dims)
      .sort()
      .map((symbol) => `${symbol}=${dims[symbol]}`)
      .join()}`;
    const known = plans.get(key);
    if (known) return known;
    const made = Promise.all(programOf(program).calls.map((call) => planCall(program, call, dims))).then((calls) => calls.flat());
    plans.set(key, made);
    return made;
  };

  const settle = async (leave: number): Promise<void> => {
    while (inFlight.length > leave) await inFlight.shift();
    check();
  };

  const put = async (name: string, from: number, data: Data, program?: string): Promise<void> => {
    check();
    const { value, dims, key } = find(name, program);
    const expected = arrayTypes[value.dtype];
    if (!(data instanceof expected)) throw new Error(`${name} is ${value.dtype}, and takes a ${expected.name}`);
    const place = hold(value, dims, key);
    const start = from * bytesPer[value.dtype];
    if (start + data.byteLength > place.bytes)
      throw new Error(`${name} has room for ${place.bytes / bytesPer[value.dtype]} elements, not ${from + data.length}`);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const even = bytes.length - (bytes.length % 4);
    for (let at = 0; at < even; at += slice)
      device.queue.writeBuffer(place.buffer, place.offset + start + at, bytes, at, Math.min(slice, even - at));
    if (even < bytes.length) {
      const last = new Uint8Array(4);
      last.set(bytes.subarray(even));
      device.queue.writeBuffer(place.buffer, place.offset + start + even, last);
    }
    // Staging memory is freed when the queue gets there.
    if (bytes.length >= slice) await device.queue.onSubmittedWorkDone();
  };

  /** The bytes of a part, through `use` while they are mapped. */
  const take = async <T>(place: Held, start: number, bytes: number, use: (mapped: ArrayBuffer) => T): Promise<T> => {
    const size = whole(bytes);
    const staging = device.createBuffer({ size, usage: usage.mapRead | usage.copyTarget });
    const encoder = device.createCommandEncoder();
    const at = place.offset + start;
    encoder.copyBufferToBuffer(place.buffer, at, staging, 0, Math.min(size, place.buffer.size - at));
    device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(mapForReading);
      check();
      return use(staging.getMappedRange());
    } catch (error) {
      throw failure ?? error;
    } finally {
      staging.destroy();
    }
  };

  return {
    write: (name, data, program) => put(name, 0, data, program),
    writePart: (name, from, data) => put(name, from, data),
    read: (name, program) => {
      const { value, dims, key } = find(name, program);
      const last = program === undefined ? undefined : lastDims.get(program);
      const bytes = elements(shapeAt(value.shape, last ? { ...dims, ...last } : dims)) * bytesPer[value.dtype];
      return take(hold(value, dims, key), 0, bytes, (mapped) => new arrayTypes[value.dtype](mapped.slice(0, bytes)));
    },
    readPart: (name, from, into) => {
      const { value, dims, key } = find(name);
      return take(hold(value, dims, key), from * bytesPer[value.dtype], into.byteLength, (mapped) =>
        into.set(new arrayTypes[value.dtype](mapped, 0, into.length)),
      );
    },
    run: async (program, dims) => {
      check();
      lastDims.set(program, dims);
      const dispatches = await planOf(program, dims);
      const encoder = device.createCommandEncoder();
      let pass: GPUComputePassEncoder | undefined;
      for (const { pipeline, group, counts, copies } of dispatches) {
        if (counts.includes(0)) continue;
        if (copies.length) {
          pass?.end();
          pass = undefined;
          for (const { from, to, at, bytes } of copies) encoder.copyBufferToBuffer(from.buffer, from.offset, to, at, bytes);
        }
        pass ??= encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...counts);
      }
      pass?.end();
      device.queue.submit([encoder.finish()]);
      inFlight.push(device.queue.onSubmittedWorkDone());
      await settle(ahead);
    },
    move: (names, from, dims, slots) => {
      check();
      const encoder = device.createCommandEncoder();
      for (const name of names) {
        const { value, dims: largest, key } = find(name);
        const shape = shapeAt(value.shape, { ...largest, ...dims });
        const row = elements(shape.slice(1)) * bytesPer[value.dtype];
        const kept = Math.min(slots, shape[1]!) * elements(shape.slice(2)) * bytesPer[value.dtype];
        const place = hold(value, largest, key);
        // Within one buffer a copy may not overlap, and rows may trade places: by way of a buffer beside it.
        const beside = allocate("beside moved rows", Math.max(...names.map((other) => hold(find(other).value, largest, other).bytes)));
        for (const [i, source] of from.entries())
          if (source !== i) encoder.copyBufferToBuffer(place.buffer, place.offset + source * row, beside, i * row, kept);
        for (const [i, source] of from.entries())
          if (source !== i) encoder.copyBufferToBuffer(beside, i * row, place.buffer, place.offset + i * row, kept);
      }
      device.queue.submit([encoder.finish()]);
    },
    bytes: () => allocated,
    close: async () => {
      if (closed) return;
      await Promise.allSettled(inFlight);
      closed = true;
      for (const buffer of [...buffers.values(), ...uniforms.values()]) buffer.destroy();
      device.destroy();
    },
  };
};

/** The device on an adapter that `findAdapter` found. */
export const webgpuDevice = async (found: Found): Promise<Device> => {
  let next: Found | undefined = found;
  return {
    name: "webgpu",
    describe: () => `${found.description}${found.software ? " (software)" : ""}, WebGPU`,
    open: async (job, read) => {
      // An adapter gives one device, so a second session asks for another.
      const mine = next ?? (await findAdapter());
      next = undefined;
      if (!mine) throw new Error("the GPU is no longer there");
      const { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage } = mine.adapter.limits;
      const device = await mine.adapter.requestDevice({
        requiredFeatures: hasHalves(mine) ? ["shader-f16"] : [],
        requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage },
      });
      return openSession(job, read, device);
    },
  };
};
