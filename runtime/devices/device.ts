// What a machine that runs jobs looks like to the training loop. A session holds the job's memory: values are written, programs
// run over them, values are read. Both devices implement this and nothing above them knows which one it has.

import type { Job } from "../../spec/job.ts";
import type { ReadWeights } from "../stream.ts";

/** f32: Float32Array, i32: Int32Array, u32: Uint32Array, u8: Uint8Array, f16 and bf16: their bits in a Uint16Array. */
export type Data = Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;

export interface Device {
  readonly name: "cpu" | "webgpu";
  /** One line for logs: the machine, the engine and its version. */
  readonly describe: () => string;
  /**
   * Allocates the job's memory. Values start as zeros. `read` gets the files of the bundle by their path in it; `weights` the layers of a
   * ring, where the job has one.
   */
  readonly open: (job: Job, read: (path: string) => Promise<Uint8Array>, weights?: ReadWeights) => Promise<Session>;
}

/** A part of a batch: the sizes of its rows, and the job's values that are its own. */
export interface Share {
  readonly dims: Readonly<Record<string, number>>;
  readonly values: readonly (readonly [name: string, data: Data])[];
}

export interface Lanes {
  readonly count: number;
  /**
   * Runs a program for each share, at most `count` of them, side by side. Afterwards the values `sums` (f32, of fixed size) hold their
   * sums over the shares, added in order.
   */
  readonly run: (program: string, shares: readonly Share[], sums: readonly string[]) => Promise<void>;
}

export interface Session {
  /** Where the device computes shares of a batch at once. */
  readonly lanes?: Lanes;
  /**
   * Writes a value from its start; less than the whole is fine (fewer rows than the largest batch). A name is looked up in
   * `program` first, then in the job. Memory that is a value's own may be this very array afterwards: do not change it.
   */
  readonly write: (value: string, data: Data, program?: string) => void | Promise<void>;
  /** A copy of a value, at the sizes of the program's last run; of a job's value with symbolic sizes at their largest. */
  readonly read: (value: string, program?: string) => Promise<Data>;
  /** Writes a part of one of the job's values, from an element on; of values of less than four bytes, whole words. */
  readonly writePart: (value: string, from: number, data: Data) => void | Promise<void>;
  /** Fills an array with a part of one of the job's values, from an element on. */
  readonly readPart: (value: string, from: number, into: Data) => Promise<void>;
  /** Runs a program at these sizes. One at a time. */
  readonly run: (program: string, dims: Readonly<Record<string, number>>) => Promise<void>;
  /**
   * Puts rows of values [rows, slots, …] in another order: row i becomes what row from[i] was. `dims` gives the sizes they are laid out
   * at, and only the first `slots` of each row need to be kept.
   */
  readonly move: (
    values: readonly string[],
    from: Int32Array,
    dims: Readonly<Record<string, number>>,
    slots: number,
  ) => void | Promise<void>;
  /** Bytes allocated for values and scratch. */
  readonly bytes: () => number;
  readonly close: () => Promise<void>;
}
