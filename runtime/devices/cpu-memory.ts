// Where the values of a job lie on the cpu device: views into arenas, or memory of their own. With lanes all of it is one WebAssembly
// memory, laid out as values are first asked for, so that a value has the same address in every lane and kernels work on it in place.

import type { DType, Job, Program, Value } from "../../spec/job.ts";
import type { Data } from "./device.ts";
import { arrayTypes, bytesPer, elements, shapeAt } from "./sizes.ts";

type Sizes = Readonly<Record<string, number>>;

export const viewOf = (buffer: ArrayBufferLike, offset: number, dtype: DType, length: number): Data =>
  new arrayTypes[dtype](buffer as ArrayBuffer, offset, length);

export const overlap = (a: Data, b: Data): boolean =>
  a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;

export interface Found {
  readonly value: Value;
  /** The largest sizes it has. */
  readonly dims: Sizes;
  /** Of the value: unlike its name, one for each. */
  readonly key: string;
}

export interface CpuMemory {
  /** A value by its name, in the program first, then in the job. */
  readonly find: (name: string, program?: string) => Found;
  /** Its memory at these sizes. Memory of its own is made at the largest, once. */
  readonly at: (found: Found, dims?: Sizes) => Data;
  /** Takes the data itself as the value's memory, where that is possible. */
  readonly adopt: (found: Found, data: Data) => boolean;
  /** New memory, for what is no value. */
  readonly allocate: (bytes: number) => { readonly buffer: ArrayBufferLike; readonly offset: number };
  /** The one memory that holds everything, if it is one. */
  readonly whole?: WebAssembly.Memory;
  readonly bytes: () => number;
}

const round64 = (bytes: number): number => Math.ceil(bytes / 64) * 64;
const page = 65536;

/** `beside`: bytes that will be allocated for what is no value; given, all memory is one. */
export const createCpuMemory = (job: Job, beside?: number): CpuMemory => {
  const arenas = new Map<string, { readonly buffer: ArrayBufferLike; readonly offset: number }>();
  const own = new Map<string, Data>();
  const whole = beside === undefined ? undefined : new WebAssembly.Memory({ initial: Math.ceil((beside + bytesOf(job)) / page) });
  let end = 0;
  let taken = 0;

  const allocate: CpuMemory["allocate"] = (bytes) => {
    taken += bytes;
    if (!whole) return { buffer: new ArrayBuffer(bytes), offset: 0 };
    const offset = end;
    end += round64(bytes);
    return { buffer: whole.buffer, offset };
  };
  const arena = (name: string): { readonly buffer: ArrayBufferLike; readonly offset: number } => {
    const known = arenas.get(name);
    if (known) return known;
    const size = job.arenas[name];
    if (size === undefined) throw new Error(`the job has no arena ${name}`);
    const made = allocate(size);
    arenas.set(name, made);
    return made;
  };
  const programOf = (name: string): Program => {
    const program = job.programs[name];
    if (!program) throw new Error(`the job has no program ${name}`);
    return program;
  };

  return {
    find: (name, program) => {
      const local = program === undefined ? undefined : programOf(program).values[name];
      if (local) return { value: local, dims: programOf(program!).dims, key: `${program}/${name}` };
      const value = job.values[name];
      if (!value) throw new Error(`the job has no value ${name}${program === undefined ? "" : `, nor has its program ${program}`}`);
      return { value, dims: job.dims, key: name };
    },
    at: ({ value, dims, key }, at = dims) => {
      const length = elements(shapeAt(value.shape, at));
      if ("arena" in value.place) {
        const { buffer, offset } = arena(value.place.arena);
        return viewOf(buffer, offset + value.place.offset, value.dtype, length);
      }
      if ("paged" in value.place) throw new Error(`${key} lies outside the device's memory`);
      let data = own.get(key);
      if (!data) {
        const largest = elements(shapeAt(value.shape, dims));
        const { buffer, offset } = allocate(largest * bytesPer[value.dtype]);
        data = viewOf(buffer, offset, value.dtype, largest);
        own.set(key, data);
      }
      return length === data.length ? data : viewOf(data.buffer, data.byteOffset, value.dtype, length);
    },
    adopt: ({ value, key, dims }, data) => {
      const fits = data.length === elements(shapeAt(value.shape, dims)) && data.byteOffset % bytesPer[value.dtype] === 0;
      if (whole || !("own" in value.place) || own.has(key) || !fits) return false;
      own.set(key, data);
      taken += data.byteLength;
      return true;
    },
    allocate,
    ...(whole && { whole }),
    bytes: () => taken,
  };
};

/** Everything that can be asked for, at its largest. */
const bytesOf = (job: Job): number => {
  const ownBytes = (values: Readonly<Record<string, Value>>, dims: Sizes): number =>
    Object.values(values).reduce(
      (sum, { place, shape, dtype }) => sum + ("own" in place ? round64(elements(shapeAt(shape, dims)) * bytesPer[dtype]) : 0),
      0,
    );
  const arenas = Object.values(job.arenas).reduce((sum, bytes) => sum + round64(bytes), 0);
  return Object.values(job.programs).reduce(
    (sum, { values, dims }) => sum + ownBytes(values, dims),
    arenas + ownBytes(job.values, job.dims),
  );
};
