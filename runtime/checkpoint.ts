// A Hugging Face folder as a source of f32 arrays: opened once, read by position, one tensor in memory at a time.

import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Job, Parameter } from "../spec/job.ts";
import { turnedShape } from "../spec/turned.ts";
import { DiagnosticError } from "./diagnostic-error.ts";
import { adapterSeeds, draw, drawWhole } from "./draw.ts";
import { bitsOf, isFloat, toStored, transpose, widen } from "./dtype.ts";
import { decode, type Pieces } from "./formats/encode.ts";
import { readPacked } from "./formats/packed.ts";
import { type Headers, readHeaders, type StoredTensor, summed } from "./headers.ts";
import { joinPath, type ReadableFile, type ReadingHost, readNamed } from "./host.ts";
import { isRecord, parseJson } from "./json.ts";
import { readStored } from "./parts.ts";
import { makeRoom, type Room } from "./room.ts";

export interface Checkpoint extends Headers {
  /** config.json as it stands. */
  readonly config: Readonly<Record<string, unknown>>;
  /**
   * One tensor as f32, row-major; with `transposed`, a [.., rows, columns] tensor comes as [.., columns, rows].
   * The array is the caller's own, or with `room` lies there. Throws a DiagnosticError when the tensor is absent or holds no floats.
   */
  read(name: string, options?: { readonly transposed?: boolean; readonly room?: Room | undefined }): Promise<Float32Array>;
  /** One tensor's bytes as stored, whole. The array is the caller's own. */
  raw(name: string): Promise<Uint8Array>;
  /** One tensor's bytes as stored, in pieces of at most 16 MiB that are overwritten by the next. */
  bytes(name: string): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** Opens a checkpoint: config.json and all headers are read and checked, no weight is. Throws a DiagnosticError. */
export const openCheckpoint = async (host: ReadingHost, folder: string): Promise<Checkpoint> => {
  const headers = await readHeaders(host, folder);
  const config = await readJsonObject(host, joinPath(folder, "config.json"));
  const open = new Map<string, Promise<ReadableFile>>();
  const fileOf = (path: string): Promise<ReadableFile> => {
    const known = open.get(path) ?? host.open(path);
    open.set(path, known);
    return known;
  };
  const find = (name: string): StoredTensor => {
    const tensor = headers.tensors.get(name);
    if (tensor) return tensor;
    throw new DiagnosticError([
      diagnostics.checkpoint_mismatch(
        undefined,
        { folder, count: 1, total: headers.tensors.size },
        { notes: [{ message: `there is no ${name}` }] },
      ),
    ]);
  };
  return {
    ...headers,
    config,
    read: async (name, { transposed = false, room } = {}) => {
      const tensor = find(name);
      const { dtype, shape, bytes } = tensor;
      if (!isFloat(dtype)) throw new DiagnosticError([diagnostics.tensor_dtype(undefined, { tensor: name, dtype })]);
      const file = await fileOf(tensor.path);
      const count = (bytes * 8) / bitsOf(dtype);
      const values = room ? room(count) : new Float32Array(count);
      if (dtype === "F32") await file.read(tensor.start, new Uint8Array(values.buffer, values.byteOffset, bytes));
      else {
        // In pieces that stay in the cache: a second array as large as the tensor costs more than the conversion.
        const words = new Uint16Array(Math.min(values.length, 1 << 19));
        for (let at = 0; at < values.length; at += words.length) {
          const part = words.subarray(0, Math.min(words.length, values.length - at));
          await file.read(tensor.start + at * 2, new Uint8Array(part.buffer, 0, part.byteLength));
          widen(part, dtype, values.subarray(at, at + part.length));
        }
      }
      if (!transposed) return values;
      return transpose(values, shape, room?.(count, "turned"));
    },
    raw: async (name) => {
      const tensor = find(name);
      const bytes = new Uint8Array(tensor.bytes);
      await (await fileOf(tensor.path)).read(tensor.start, bytes);
      return bytes;
    },
    bytes: async function* (name) {
      const tensor = find(name);
      const file = await fileOf(tensor.path);
      const piece = new Uint8Array(Math.min(tensor.bytes, 1 << 24));
      for (let at = 0; at < tensor.bytes; at += piece.length) {
        const part = piece.subarray(0, Math.min(piece.length, tensor.bytes - at));
        await file.read(tensor.start + at, part);
        yield part;
      }
    },
    close: async () => {
      const opened = await Promise.allSettled(open.values());
      open.clear();
      // One that could not be opened was said where it was wanted.
      for (const file of opened) if (file.status === "fulfilled") await file.value.close();
    },
  };
};

export const readJsonObject = async (host: ReadingHost, path: string): Promise<Record<string, unknown>> => {
  const parsed = parseJson(await readNamed(host, path));
  const reason = "problem" in parsed ? parsed.problem : isRecord(parsed.value) ? undefined : "it holds another kind of value";
  if (reason !== undefined) throw new DiagnosticError([diagnostics.checkpoint_config(undefined, { file: path, reason })]);
  return (parsed as { value: Record<string, unknown> }).value;
};

/** What the job expects of the checkpoint and does not find: one line per tensor. */
export const differences = (parameters: readonly Parameter[], headers: Headers): string[] => {
  const lines: string[] = [];
  for (const { source, shape, stored } of parameters) {
    if (source.kind !== "checkpoint" || source.packed) continue;
    const expected = source.parts?.shape ?? (source.transposed ? turnedShape(shape) : shape);
    const dtype = stored && toStored(stored);
    const wanted = `${dtype ? `${dtype} ` : ""}[${expected.join(", ")}]`;
    for (const name of source.parts?.names ?? [source.tensor]) {
      const tensor = headers.tensors.get(name);
      if (!tensor) lines.push(`${name}: expected ${wanted}, it is not there`);
      else if (
        tensor.shape.length !== expected.length ||
        tensor.shape.some((size, i) => size !== expected[i]) ||
        (dtype && dtype !== tensor.dtype)
      )
        lines.push(`${name}: expected ${wanted}, found ${dtype ? `${tensor.dtype} ` : ""}[${tensor.shape.join(", ")}]`);
    }
  }
  return lines;
};

/** What becomes of a parameter's values where they are written: the array is kept, its numbers are copied, or nothing reads them. */
export type Fate = "kept" | "copied" | "unread";

/**
 * Gives every parameter of the job its first value, in the job's order: read from the checkpoint, drawn, or a copy.
 * The whole list is checked before the first is read. `write` gets an array of its own, row-major, product(shape) long; where `fateOf`
 * says that it copies, one that is overwritten by the next, and nothing of what is unread.
 * What lies packed in the checkpoint goes to `writePacked`, by default unpacked to `write`.
 * `checkpoint` may be absent when the job draws its base. Throws a DiagnosticError.
 */
export const loadParameters = async (
  job: Job,
  checkpoint: Checkpoint | undefined,
  write: (parameter: Parameter, values: Float32Array | Int32Array) => void | Promise<void>,
  writePacked: (parameter: Parameter, pieces: Pieces) => void | Promise<void> = (parameter, pieces) =>
    write(parameter, decode(job.formats[parameter.format!]!, pieces, parameter.shape)),
  fateOf: (parameter: Parameter) => Fate = () => "kept",
): Promise<void> => {
  const read = job.parameters.filter(({ source }) => source.kind === "checkpoint");
  if (read.length > 0) {
    if (!checkpoint) throw new Error("the job reads a checkpoint and none is open");
    const lines = differences(read, checkpoint);
    if (lines.length > 0)
      throw new DiagnosticError([
        diagnostics.checkpoint_mismatch(
          undefined,
          { folder: checkpoint.folder, count: lines.length, total: read.length },
          { notes: summed(lines), help: "compile the pipeline again against this checkpoint" },
        ),
      ]);
  }
  const seeds = adapterSeeds(job);
  const byName = new Map(job.parameters.map((parameter) => [parameter.name, parameter]));
  const first = async (parameter: Parameter, room: Room | undefined): Promise<Float32Array | Int32Array> => {
    const { source, shape, name } = parameter;
    if (source.kind === "checkpoint") {
      if (!source.packed) return readStored(checkpoint!, source, room);
      const format = job.formats[parameter.format!]!;
      return decode(format, await readPacked(checkpoint!, format, source.tensor), shape);
    }
    if (source.kind === "copy") {
      const original = byName.get(source.of);
      if (!original) throw new Error(`${name} copies ${source.of}, which the job does not have`);
      return first(original, room);
    }
    if (source.kind === "stack") throw new Error(`${name} is a bank's`);
    const count = shape.reduce((a, b) => a * b, 1);
    // What is computed comes later, from what stands here now.
    if (source.kind === "init" || source.kind === "kept") return new Float32Array(count);
    if (source.kind === "values") return parameter.dtype === "i32" ? Int32Array.from(source.values) : Float32Array.from(source.values);
    const seed = seeds.get(name) ?? job.base.seed;
    if (parameter.dtype === "i32") return drawWhole(source, seed, name, count);
    const values = room ? room(count) : new Float32Array(count);
    draw(source, seed, name, values);
    return values;
  };
  const room = makeRoom();
  for (const parameter of job.parameters) {
    const { source } = parameter;
    const fate = fateOf(parameter);
    if (source.kind === "init" || source.kind === "kept" || fate === "unread") continue;
    if (source.kind === "checkpoint" && source.packed)
      await writePacked(parameter, await readPacked(checkpoint!, job.formats[parameter.format!]!, source.tensor));
    // A bank is filled from its adapters when it is needed: by then they may have been trained or read.
    else if (source.kind !== "stack") await write(parameter, await first(parameter, fate === "copied" ? room : undefined));
  }
  room.close();
};
