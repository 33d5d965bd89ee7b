// A small model made of text alone, compiled in memory, and a device that interprets segments in double precision: what the
// two real devices must agree with.

import { createHash } from "node:crypto";
import { metricSignatures } from "../../cli/embedded/metrics.ts";
import { std } from "../../cli/embedded/std.ts";
import { hubCopy } from "../../cli/hub/base.ts";
import { type Compiled, compile } from "../../compiler/compile.ts";
import type { SegmentGraph } from "../../compiler/graph/graph.ts";
import { interpretSegment } from "../../compiler/graph/interpret.ts";
import type { Tensor } from "../../compiler/graph/op.ts";
import type { CompileHost } from "../../compiler/host.ts";
import { lower } from "../../compiler/programs/lower.ts";
import type { Examples } from "../../runtime/data/examples.ts";
import type { Data, Device } from "../../runtime/devices/device.ts";
import { arrayTypes, bytesPer, shapeAt } from "../../runtime/devices/sizes.ts";
import { draw, drawWhole } from "../../runtime/draw.ts";
import { fromBytes, toBytes } from "../../runtime/dtype.ts";
import type { DType, Job } from "../../spec/job.ts";
import type { MeasuredSizes } from "../../spec/measured.ts";

export const llamaConfig = {
  architectures: ["LlamaForCausalLM"],
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 19,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
};

export const gptConfig = {
  architectures: ["GPT2LMHeadModel"],
  n_embd: 12,
  n_layer: 2,
  n_head: 3,
  n_positions: 32,
  vocab_size: 11,
  tie_word_embeddings: false,
};

/** A host whose files are given; `base/config.json` is one of them. */
export const memoryHost = (files: Readonly<Record<string, string>>, library: ReadonlyMap<string, string> = std): CompileHost => ({
  std: library,
  metrics: metricSignatures,
  read: (path) => files[path],
  list: (folder) => {
    const prefix = folder.endsWith("/") ? folder : `${folder}/`;
    const names = Object.keys(files).flatMap((path) => (path.startsWith(prefix) ? [path.slice(prefix.length)] : []));
    return names.length > 0 ? names : undefined;
  },
  headers: async () => ({ diagnostics: [] }),
  hub: (place, weights) => hubCopy(place, weights, { HF_HOME: "no/such/cache" }),
  resolve: (from, relative) => {
    const folder = from.endsWith("/") ? from.slice(0, -1) : from.split("/").slice(0, -1).join("/");
    return [folder, relative.replace(/\/$/, "")].filter(Boolean).join("/");
  },
  here: (path) => path,
  sha256: (data) => createHash("sha256").update(data).digest("hex"),
});

export interface Built {
  readonly compiled: Compiled;
  readonly job: Job;
  readonly segments: ReadonlyMap<string, SegmentGraph>;
}

/** Compiles a pipeline text over a blank base with this config.json. Throws the diagnostics of a text that does not compile. */
export const build = async (
  text: string,
  config: object,
  library?: ReadonlyMap<string, string>,
  measured: readonly MeasuredSizes[] = [],
): Promise<Built> => {
  const host = memoryHost({ "main.peft": text, "base/config.json": JSON.stringify(config) }, library);
  const compiled = await compile({ file: "main.peft", goal: "plan", measured }, host);
  const errors = compiled.diagnostics.filter((diagnostic) => diagnostic.severity === "error");
  if (errors.length > 0 || !compiled.checked)
    throw new Error(errors.map((d) => `${d.code} ${d.message} ${d.notes.map((n) => n.message).join("; ")}`).join("\n"));
  const lowered = lower(compiled.checked, host, { report: () => {}, through: [] })!;
  return { compiled, job: lowered.job, segments: lowered.segments };
};

/** Values of 16 bits cross the door of a session as their bits. */
const halfOf = (dtype: string): "F16" | "BF16" | undefined => (dtype === "f16" ? "F16" : dtype === "bf16" ? "BF16" : undefined);
const bytesOf = ({ buffer, byteOffset, byteLength }: Data): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength);

/** Every value an exact double; programs run call by call through `eval`. */
export const referenceDevice = (segments: ReadonlyMap<string, SegmentGraph>): Device => ({
  name: "cpu",
  describe: () => "the reference interpreter",
  open: async (job) => {
    const arenas = new Map<string, Float64Array>();
    const own = new Map<string, Float64Array>();
    let last: Readonly<Record<string, number>> = {};
    const place = (name: string, program: string | undefined, dims: Readonly<Record<string, number>>): Float64Array => {
      const value = (program === undefined ? undefined : job.programs[program]!.values[name]) ?? job.values[name];
      if (!value) throw new Error(`no value ${name}`);
      const count = shapeAt(value.shape, dims).reduce((a, b) => a * b, 1);
      if ("own" in value.place) {
        const known = own.get(name);
        if (known && known.length >= count) return known.subarray(0, count);
        const made = new Float64Array(count);
        own.set(name, made);
        return made;
      }
      if ("paged" in value.place) throw new Error(`${name} lies outside the device's memory`);
      // One double per element: places are the same, only wider. Elements of each dtype have a memory of their own.
      const { arena, offset } = value.place;
      const first = offset / bytesPer[value.dtype];
      const key = `${arena} ${value.dtype}`;
      let memory = arenas.get(key);
      if (!memory) {
        memory = new Float64Array(job.arenas[arena]! / bytesPer[value.dtype]);
        arenas.set(key, memory);
      }
      return memory.subarray(first, first + count);
    };
    const copy = (values: Float64Array, dtype: DType): Data => (halfOf(dtype) ? Float32Array : arrayTypes[dtype]).from(values);
    const typeOf = (name: string, program?: string) =>
      (program === undefined ? undefined : job.programs[program]!.values[name]) ?? job.values[name]!;
    return {
      write: (name, data, program) => {
        const memory = place(name, program, { ...job.dims, ...(program === undefined ? {} : job.programs[program]!.dims) });
        const half = halfOf(typeOf(name, program).dtype);
        memory.set(half ? fromBytes(bytesOf(data), half) : (data as Float32Array));
      },
      read: async (name, program) => {
        const { dtype } = typeOf(name, program);
        const numbers = copy(place(name, program, { ...job.dims, ...last }).slice(), dtype);
        const half = halfOf(dtype);
        return half ? new Uint16Array(toBytes(numbers as Float32Array, half).buffer) : numbers;
      },
      writePart: (name, from, data) => place(name, undefined, job.dims).set(data as Float32Array, from),
      readPart: async (name, from, into) => into.set(place(name, undefined, job.dims).subarray(from, from + into.length)),
      run: async (program, dims) => {
        last = dims;
        for (const call of job.programs[program]!.calls) {
          const segment = segments.get(call.segment)!;
          const inputs: Record<string, Tensor> = {};
          for (const [i, { name, node }] of segment.inputs.entries())
            inputs[name] = { shape: shapeAt(node.type.shape, dims), data: place(call.inputs[i]!, program, dims).slice() };
          const outputs = interpretSegment(segment, inputs, dims);
          for (const [i, { name }] of segment.outputs.entries()) place(call.outputs[i]!, program, dims).set(outputs[name]!.data);
        }
      },
      move: (names, from, dims) => {
        for (const name of names) {
          const memory = place(name, undefined, { ...job.dims, ...dims });
          const old = memory.slice();
          const row = shapeAt(job.values[name]!.shape.slice(1), { ...job.dims, ...dims }).reduce((a, b) => a * b, 1);
          for (const [i, source] of from.entries()) memory.set(old.subarray(source * row, (source + 1) * row), i * row);
        }
      },
      prepare: async () => {},
      bytes: () => 0,
      close: async () => {},
    };
  },
});

/** First values for every parameter, as the runtime draws them; zeros are replaced so that no gradient vanishes by accident. */
export const drawAll = async (
  job: Job,
  write: (name: string, values: Float32Array) => void | Promise<void>,
  { nonzero = false } = {},
): Promise<Map<string, Float32Array>> => {
  const values = new Map<string, Float32Array>();
  for (const parameter of job.parameters) {
    const { source, name, shape } = parameter;
    const count = shape.reduce((a, b) => a * b, 1);
    if (parameter.dtype === "i32") {
      const whole =
        source.kind === "values" ? Int32Array.from(source.values) : source.kind === "draw" ? drawWhole(source, 11, name, count) : undefined;
      if (whole && job.values[name]) await write(name, whole as never);
      continue;
    }
    const drawn = new Float32Array(count);
    if (source.kind === "stack") continue;
    if (source.kind === "copy") drawn.set(values.get(source.of)!);
    else if (source.kind === "draw")
      draw(
        nonzero && source.distribution === "zeros"
          ? { kind: "draw", distribution: "normal", args: [0.1] }
          : source.distribution === "normal"
            ? { ...source, args: [0.3] }
            : source,
        11,
        name,
        drawn,
      );
    values.set(name, drawn);
    if (job.values[name]) await write(name, drawn);
  }
  return values;
};

/** A batch of random ids with every position but the last of each row a target. */
export const randomBatch = (b: number, t: number, vocabulary: number, seed = 1) => {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % vocabulary;
  };
  const ids = Int32Array.from({ length: b * t }, next);
  const positions = Int32Array.from({ length: b * t }, (_, i) => i % t);
  const rows: number[] = [];
  const targets: number[] = [];
  for (let row = 0; row < b; row++)
    for (let i = 0; i < t - 1; i++)
      if ((row + i) % 3 !== 0) {
        rows.push(row * t + i);
        targets.push(ids[row * t + i + 1]!);
      }
  return { b, t, n: rows.length, ids, positions, rows: Int32Array.from(rows), targets: Int32Array.from(targets) };
};

/** The same real tokens behind `virtual` slots. */
export const behind = (batch: ReturnType<typeof randomBatch>, virtual: number) => {
  const t = batch.t + virtual;
  const ids = new Int32Array(batch.b * t);
  for (let row = 0; row < batch.b; row++) ids.set(batch.ids.subarray(row * batch.t, (row + 1) * batch.t), row * t + virtual);
  return {
    ...batch,
    t,
    ids,
    positions: Int32Array.from(ids, (_, i) => i % t),
    rows: batch.rows.map((row) => Math.floor(row / batch.t) * t + virtual + (row % batch.t)),
  };
};

/** Five rows of 3 to 7 tokens, whose last two are labels. */
export const someExamples = (vocabulary: number): Examples => {
  const lengths = [5, 3, 7, 4, 6];
  const starts = [0];
  for (const length of lengths) starts.push(starts.at(-1)! + length);
  const { ids } = randomBatch(1, starts.at(-1)!, vocabulary, 9);
  const labels = Uint8Array.from(lengths.flatMap((length) => Array.from({ length }, (_, i) => (i >= length - 2 ? 1 : 0))));
  return { count: lengths.length, ids, labels, starts: Int32Array.from(starts), rows: Int32Array.from(lengths, (_, i) => i + 1) };
};
