// An adapter on disk: adapter_config.json (keys sorted, as Python's libraries write it) and a safetensors file; what torch.save wrote is
// read too.
// Which parameter goes under which key, turned or not, is the job's table. Loading is strict: every tensor must be there, none
// may be left over, every shape must fit, and what the configuration says about the computation must be what the job says.

import { adapterMetadata } from "../spec/adapter-header.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { foldedShape, refold } from "../spec/folded.ts";
import type { Adapter, Fold, Parameter } from "../spec/job.ts";
import { turnedShape } from "../spec/turned.ts";
import { adapterConfigFile, weightsFiles } from "./adapter-names.ts";
import { openAdapterWeights } from "./adapter-weights.ts";
import { readJsonObject } from "./checkpoint.ts";
import { DiagnosticError } from "./diagnostic-error.ts";
import { bitsOf, fromBytes, isFloat, toBytes, transpose } from "./dtype.ts";
import { summed } from "./headers.ts";
import { type Host, joinPath } from "./host.ts";
import { isRecord } from "./json.ts";
import { writeSafetensors } from "./safetensors.ts";

type Values = Float32Array | Int32Array;

interface Stored {
  readonly key: string;
  readonly parts: readonly { readonly parameter: Parameter; readonly sign: number }[];
  readonly axis: number;
  readonly transposed: boolean;
  readonly fold: Fold | undefined;
  /** As stored. */
  readonly shape: readonly number[];
  /** Whole numbers. */
  readonly whole: boolean;
}

const storedTensors = (adapter: Adapter, parameters: readonly Parameter[]): Stored[] => {
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const find = (name: string): Parameter => {
    const parameter = byName.get(name);
    if (!parameter) throw new Error(`adapter ${adapter.name} stores ${name}, which the job does not have`);
    return parameter;
  };
  return adapter.files.tensors.map(({ key, parameter: name, transposed, joined, fold }) => {
    const parameter = find(name);
    const parts = joined?.parts.map((part) => ({ parameter: find(part.parameter), sign: part.sign })) ?? [{ parameter, sign: 1 }];
    const axis = joined?.axis ?? 0;
    const whole = parts.reduce((sum, part) => sum + part.parameter.shape[axis]!, 0);
    const own = joined ? parameter.shape.map((dim, i) => (i === axis ? whole : dim)) : parameter.shape;
    const shape = fold ? foldedShape(own, fold) : transposed ? turnedShape(own) : own;
    return { key, parts, axis, transposed, fold, shape, whole: parameter.dtype === "i32" };
  });
};

/** Parts of a tensor as it is stored, one after another along an axis. */
const join = ({ parts, axis, shape, fold }: Stored, values: readonly Values[]): Values => {
  const [first, ...others] = parts;
  if (others.length === 0) return fold ? refold(values[0]!, first!.parameter.shape, fold, false) : values[0]!;
  const out = new Float32Array(shape.reduce((a, b) => a * b, 1));
  let from = 0;
  for (const [k, { parameter, sign }] of parts.entries()) {
    eachOf(parameter.shape, shape, axis, from, (inside, outside) => {
      out[outside] = sign * values[k]![inside]!;
    });
    from += parameter.shape[axis]!;
  }
  return out;
};

/** A stored tensor's parts. */
const apart = ({ parts, axis, shape, fold }: Stored, values: Values): Values[] => {
  const [first, ...others] = parts;
  if (others.length === 0) return [fold ? refold(values, first!.parameter.shape, fold, true) : values];
  let from = 0;
  return parts.map(({ parameter, sign }) => {
    const out = new Float32Array(parameter.shape.reduce((a, b) => a * b, 1));
    eachOf(parameter.shape, shape, axis, from, (inside, outside) => {
      out[inside] = sign * values[outside]!;
    });
    from += parameter.shape[axis]!;
    return out;
  });
};

/** Positions of a part's elements in the part and in the whole, two axes at most. */
const eachOf = (
  part: readonly number[],
  whole: readonly number[],
  axis: number,
  from: number,
  visit: (inside: number, outside: number) => void,
): void => {
  const [rows, columns] = [part[0]!, part[1] ?? 1];
  const width = whole[1] ?? 1;
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) visit(i * columns + j, axis === 0 ? (i + from) * width + j : i * width + j + from);
};

/**
 * Writes an adapter into `folder` (made if absent). `read` gives a parameter's values, row-major in the job's orientation, asked for
 * one at a time. `extra` is what depends on the run: base_model_name_or_path and the like. Each file appears whole or not at all.
 * Returns the bytes of the weights file. Throws a DiagnosticError.
 */
export const saveAdapter = async (
  host: Host,
  folder: string,
  adapter: Adapter,
  parameters: readonly Parameter[],
  read: (parameter: string) => Promise<Values> | Values,
  extra: Readonly<Record<string, unknown>> = {},
): Promise<number> => {
  await host.makeFolder(folder);
  const plans = storedTensors(adapter, parameters).map((stored) => ({
    ...stored,
    name: stored.key,
    dtype: stored.whole ? ("I32" as const) : ("F32" as const),
  }));
  // The configuration gets its name last but its bytes first: a disk that fills leaves both files of an older adapter.
  const config = await host.create(joinPath(folder, adapterConfigFile));
  try {
    await config.write(new TextEncoder().encode(pythonJson({ ...adapter.files.config, ...extra }, adapter.files.decimals)));
    const { library } = adapter.files;
    const write = async (plan: (typeof plans)[number]): Promise<Uint8Array> => {
      const values: Values[] = [];
      for (const { parameter } of plan.parts) values.push(await read(parameter.name));
      const one = join(plan, values);
      if (one instanceof Int32Array) return new Uint8Array(one.buffer, one.byteOffset, one.byteLength);
      return toBytes(plan.transposed ? transpose(one, plan.parts[0]!.parameter.shape) : one, "F32");
    };
    const bytes = await writeSafetensors(host, joinPath(folder, weightsFiles[library]), plans, write, adapterMetadata(library));
    await config.commit();
    return bytes;
  } finally {
    await config.abort();
  }
};

/**
 * Reads an adapter of the same kind as the job's. `write` gets each parameter's values in the job's orientation, after everything has
 * been checked. Throws a DiagnosticError that lists every tensor that does not fit.
 */
export const loadAdapter = async (
  host: Host,
  folder: string,
  adapter: Adapter,
  parameters: readonly Parameter[],
  write: (parameter: string, values: Values) => Promise<void> | void,
): Promise<void> => {
  const configPath = joinPath(folder, adapterConfigFile);
  const { file, tensors } = await openAdapterWeights(host, folder);
  try {
    const problem = contradiction(adapter.files.config, await readJsonObject(host, configPath));
    if (problem) throw new DiagnosticError([diagnostics.adapter_config(undefined, { file: configPath, adapter: adapter.name, problem })]);

    const found = new Map(tensors.map((tensor) => [tensor.name, tensor]));
    const wanted = storedTensors(adapter, parameters);
    const lines: string[] = [];
    for (const { key, shape, whole } of wanted) {
      const tensor = found.get(key);
      const size = `[${shape.join(", ")}]`;
      if (!tensor) lines.push(`${key}: expected ${size}, it is not there`);
      else if (tensor.shape.join() !== shape.join()) lines.push(`${key}: expected ${size}, found [${tensor.shape.join(", ")}]`);
      else if (whole && tensor.dtype !== "I32" && tensor.dtype !== "I64")
        lines.push(`${key}: expected whole numbers, found ${tensor.dtype}`);
      else if (!whole && !isFloat(tensor.dtype)) lines.push(`${key}: expected numbers to compute with, found ${tensor.dtype}`);
    }
    const keys = new Set(wanted.map(({ key }) => key));
    for (const tensor of tensors)
      if (!keys.has(tensor.name)) lines.push(`${tensor.name}: [${tensor.shape.join(", ")}] is not part of the adapter`);
    if (lines.length > 0)
      throw new DiagnosticError([
        diagnostics.adapter_mismatch(
          undefined,
          { folder, adapter: adapter.name, count: lines.length, total: wanted.length },
          { notes: summed(lines) },
        ),
      ]);
    for (const stored of wanted) {
      const { key, parts, transposed, shape, whole } = stored;
      const tensor = found.get(key)!;
      const bytes = new Uint8Array((shape.reduce((a, b) => a * b, 1) * bitsOf(tensor.dtype)) / 8);
      await file.read(tensor.start, bytes);
      const read = whole ? wholeNumbers(bytes, tensor.dtype === "I64" ? 8 : 4) : fromBytes(bytes, tensor.dtype as "F32");
      const values = apart(stored, read instanceof Float32Array && transposed ? transpose(read, shape) : read);
      for (const [k, { parameter }] of parts.entries()) await write(parameter.name, values[k]!);
    }
  } finally {
    await file.close();
  }
};

/** Little-endian whole numbers of 4 or 8 bytes; what is larger than 32 bits is no position. */
const wholeNumbers = (bytes: Uint8Array, size: 4 | 8): Int32Array => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: bytes.byteLength / size }, (_, i) => view.getInt32(i * size, true));
};

/** Settings that say how to train or how to run, not what is computed. */
const harmless = (key: string): boolean => key === "inference_mode" || key === "version" || key.includes("dropout");

/** Exceptions by module in one order; of a list of truths, how many there are, if not all: which they were is in no tensor. */
const exceptionsIn = (pattern: unknown): string =>
  pythonJson(
    Object.fromEntries(
      Object.entries(isRecord(pattern) ? pattern : {})
        .filter(([, value]) => !Array.isArray(value) || value.includes(false))
        .map(([module, value]) => [module, Array.isArray(value) ? value.filter((one) => one === true).length : value] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  );

/**
 * Where a stored configuration says that something else is computed: a number, text or switch that differs, a switch `use_…` that is on
 * there and unknown here, or a `…_pattern` of exceptions. Lists of targets are not compared: the tensors' names say it better.
 */
const contradiction = (ours: Readonly<Record<string, unknown>>, theirs: Readonly<Record<string, unknown>>): string | undefined => {
  for (const [key, value] of Object.entries(ours)) {
    const other = theirs[key];
    if (isRecord(value) && isRecord(other) && !key.endsWith("_pattern")) {
      const within = contradiction(value, other);
      if (within) return within;
    }
    if (other === undefined || other === null || value === null || typeof value === "object" || harmless(key)) continue;
    if (key === "task_type") continue; // which wrapper class loads it, nothing of the computation
    if (other !== value) return `it says ${key}: ${JSON.stringify(other)}, the job says ${JSON.stringify(value)}`;
  }
  for (const [key, other] of Object.entries(theirs)) {
    if (key.startsWith("use_") && other === true && ours[key] !== true) return `it says ${key}: true, which the job does not compute`;
    if (
      key.endsWith("_pattern") &&
      isRecord(other) &&
      Object.keys(other).length > 0 &&
      exceptionsIn(other) !== exceptionsIn(ours[key] ?? {})
    )
      return `it has exceptions under ${key}, which the job does not have`;
  }
  return undefined;
};

/**
 * JSON as Python's `json.dumps(value, indent=2, sort_keys=True)` prints it, but for whole floats: `16` where Python has `16.0`, unless
 * `decimals` lists the key.
 */
export const pythonJson = (value: unknown, decimals: readonly string[] = []): string => {
  const [open, close] = ["\u0001<", ">\u0001"];
  const pointed = (key: string, one: unknown): unknown =>
    decimals.includes(key) && Number.isInteger(one) ? `${open}${String(one)}.0${close}` : one;
  const text = JSON.stringify(sorted(value), pointed, 2).replaceAll(/"\\u0001<(-?\d+\.0)>\\u0001"/g, "$1");
  return text.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
};

const sorted = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(sorted)
    : isRecord(value)
      ? Object.fromEntries(
          Object.keys(value)
            .sort()
            .map((key) => [key, sorted(value[key])]),
        )
      : value;
