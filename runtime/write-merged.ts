// A merged model as a full Hugging Face folder, written one tensor at a time: tensors that no adapter touches are copied byte for byte,
// merged ones are computed in f32 and rounded once to the stored format. What rounding changed is measured and returned.
// Invariant: the output folder appears whole or not at all; the base is never written to; nothing that was there is deleted.

import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { DType, Job, MergedTensor } from "../spec/job.ts";
import { turnedShape } from "../spec/turned.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { DiagnosticError } from "./diagnostic-error.ts";
import { adapterSeeds, draw } from "./draw.ts";
import { type FloatDType, fromBytes, isFloat, type StoredDType, toBytes, toStored, transpose } from "./dtype.ts";
import { summed } from "./headers.ts";
import { fileError, type Host, joinPath, nameOf, parentOf, writeWhole } from "./host.ts";
import { isRecord, parseJson } from "./json.ts";
import { partOf } from "./parts.ts";
import { bytesOf, type Chunks, writeSafetensors } from "./safetensors.ts";
import { indexFile, weightsFile } from "./weight-files.ts";

/** A tensor of the base, as stored. */
export interface BaseTensor {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** Its bytes, in pieces or whole. */
  bytes(): Chunks | Promise<Chunks>;
}

/** What merging starts from: a checkpoint, or a base that was drawn. */
export interface MergeBase {
  /** Where config.json and the tokenizer lie. */
  readonly folder: string;
  readonly files: readonly {
    readonly name: string;
    readonly metadata: Readonly<Record<string, string>>;
    readonly tensors: readonly BaseTensor[];
  }[];
}

export interface MergeReport {
  readonly folder: string;
  /** Of the weights. */
  readonly bytes: number;
  readonly merged: number;
  readonly copied: number;
  /** Largest |computed − stored| over all merged values, and where; 0 when stored as f32. */
  readonly rounding: { readonly most: number; readonly tensor: string | undefined };
}

/** A checkpoint as a base to merge into. */
export const checkpointBase = (checkpoint: Checkpoint): MergeBase => ({
  folder: checkpoint.folder,
  files: checkpoint.files.map((file) => ({
    name: nameOf(file.path),
    metadata: file.metadata,
    tensors: file.tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape, bytes: () => checkpoint.bytes(name) })),
  })),
});

/** A drawn base: its parameters under the names and in the orientation a checkpoint has. `folder` may hold a config.json and a tokenizer. */
export const drawnBase = (job: Job, folder: string): MergeBase => {
  const seeds = adapterSeeds(job);
  const tensors = new Map<string, BaseTensor>();
  for (const { name, shape, source } of job.parameters) {
    if (source.kind !== "draw" || source.tensor === undefined) continue;
    const { tensor, transposed = false, parts } = source;
    const values = (): Float32Array => {
      const drawn = new Float32Array(shape.reduce((a, b) => a * b, 1));
      draw(source, seeds.get(name) ?? job.base.seed, name, drawn);
      return transposed ? transpose(drawn, shape) : drawn;
    };
    const add = (own: string, stored: readonly number[], numbers: () => Float32Array): void =>
      void tensors.set(own, { name: own, dtype: "F32", shape: stored, bytes: () => toBytes(numbers(), "F32") });
    if (parts) for (const [i, part] of parts.names.entries()) add(part, parts.shape, () => partOf(values(), parts, i));
    else add(tensor, transposed ? turnedShape(shape) : shape, values);
  }
  return { folder, files: [{ name: weightsFile, metadata: {}, tensors: [...tensors.values()] }] };
};

/** Files that belong to a model beside its weights. */
const companions =
  /^(config\.json|generation_config\.json|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt|.*\.model|chat_template\.(jinja|json)|(pre)?processor_config\.json|LICENSE.*|NOTICE.*)$/;

/**
 * Writes the merged model into `into`, which must be absent or empty. `compute` gives a merged tensor as f32, row-major in the job's
 * orientation; it is asked for one at a time. `as` is the stored dtype of merged tensors (absent: the base's own).
 * `config` may change config.json; one that returns its argument leaves the file as it stands.
 * Throws a DiagnosticError, and then nothing is left of the output.
 */
export const writeMerged = async (
  host: Host,
  base: MergeBase,
  into: string,
  merged: readonly MergedTensor[],
  compute: (tensor: MergedTensor) => Promise<Float32Array> | Float32Array,
  as?: DType,
  config: (config: Record<string, unknown>) => Record<string, unknown> = (same) => same,
): Promise<MergeReport> => {
  await checkOutput(host, base, into);
  const byName = new Map(merged.map((tensor) => [tensor.tensor, tensor]));
  checkTensors(base, merged);
  const stored = ({ name, dtype }: BaseTensor): StoredDType => (byName.has(name) && as ? toStored(as) : dtype);

  const partial = `${into.replace(/\/+$/, "")}.partial`;
  await host.remove(partial); // left by a run that was killed
  await host.makeFolder(partial);
  try {
    if ((await host.kind(base.folder)) === "folder")
      for (const { name, kind } of await host.list(base.folder))
        if (kind === "file" && companions.test(name))
          await writeWhole(host, joinPath(partial, name), reconfigured(name, await host.read(joinPath(base.folder, name)), config));

    let bytes = 0;
    let tensorBytes = 0;
    let copied = 0;
    let most = 0;
    let worst: string | undefined;
    for (const file of base.files) {
      const plans = file.tensors.map((tensor) => ({ name: tensor.name, dtype: stored(tensor), shape: tensor.shape, tensor }));
      for (const plan of plans) tensorBytes += bytesOf(plan);
      const metadata = Object.keys(file.metadata).length > 0 ? file.metadata : undefined;
      const produce = async ({ name, dtype, tensor }: (typeof plans)[number]): Promise<Chunks> => {
        const target = byName.get(name);
        if (!target) {
          copied++;
          return tensor.bytes();
        }
        const computed = await compute(target);
        const values = target.transposed ? transpose(computed, target.shape) : computed;
        const { bytes: narrow, difference } = round(values, dtype as FloatDType, name);
        if (difference > most) [most, worst] = [difference, name];
        return narrow;
      };
      bytes += await writeSafetensors(host, joinPath(partial, file.name), plans, produce, metadata);
    }
    await writeIndex(host, base, partial, tensorBytes);
    if ((await host.kind(into)) === "folder") await host.remove(into); // empty, as checked
    await host.rename(partial, into);
    return { folder: into, bytes, merged: merged.length, copied, rounding: { most, tensor: worst } };
  } catch (error) {
    await host.remove(partial).catch(() => {});
    throw error;
  }
};

const reconfigured = (
  name: string,
  bytes: Uint8Array,
  config: (config: Record<string, unknown>) => Record<string, unknown>,
): Uint8Array | string => {
  const parsed = name === "config.json" ? parseJson(bytes) : undefined;
  if (!parsed || !("value" in parsed) || !isRecord(parsed.value)) return bytes;
  const changed = config(parsed.value);
  return changed === parsed.value ? bytes : `${JSON.stringify(changed, undefined, 2)}\n`;
};

const checkOutput = async (host: Host, base: MergeBase, into: string): Promise<void> => {
  if ((await host.resolve(".", into)) === (await host.resolve(".", base.folder)))
    throw new DiagnosticError([diagnostics.output_is_base(undefined, { folder: into }, { help: "name another folder after `into`" })]);
  const kind = await host.kind(into);
  if (kind === "file") throw fileError("other", "write", into, "a file has this name");
  if (kind === "folder") {
    const names = (await host.list(into)).map((entry) => entry.name);
    if (names.length > 0)
      throw new DiagnosticError([
        diagnostics.output_not_empty(
          undefined,
          { folder: into },
          { notes: [{ message: `it has: ${names.slice(0, 12).join(", ")}` }], help: "remove it, or name another folder after `into`" },
        ),
      ]);
  } else await host.makeFolder(parentOf(into));
};

/** Every merged tensor must be in the base, hold floats, and have the size that will be computed. */
const checkTensors = (base: MergeBase, merged: readonly MergedTensor[]): void => {
  const found = new Map(base.files.flatMap((file) => file.tensors).map((tensor) => [tensor.name, tensor]));
  const lines: string[] = [];
  for (const { tensor: name, shape: own, transposed } of merged) {
    const shape = transposed ? turnedShape(own) : own;
    const tensor = found.get(name);
    if (!tensor) lines.push(`${name}: expected [${shape.join(", ")}], it is not there`);
    else if (tensor.shape.join() !== shape.join())
      lines.push(`${name}: expected [${shape.join(", ")}], found [${tensor.shape.join(", ")}]`);
    else if (!isFloat(tensor.dtype)) lines.push(`${name}: expected numbers to compute with, found ${tensor.dtype}`);
  }
  if (lines.length > 0)
    throw new DiagnosticError([
      diagnostics.checkpoint_mismatch(
        undefined,
        { folder: base.folder, count: lines.length, total: merged.length },
        { notes: summed(lines) },
      ),
    ]);
};

/** Stored bytes of computed values, and the largest change rounding made. Throws when a value cannot be stored at all. */
const round = (values: Float32Array, dtype: FloatDType, tensor: string): { bytes: Uint8Array; difference: number } => {
  const bytes = toBytes(values, dtype);
  const back = dtype === "F32" ? values : fromBytes(bytes, dtype);
  let difference = 0;
  for (let i = 0; i < values.length; i++) {
    const change = Math.abs(values[i]! - back[i]!);
    if (change > difference) difference = change;
    // NaN fails every comparison, so it is looked for by itself, as is an infinity that was there before rounding.
    if (!Number.isFinite(values[i]!)) throw new DiagnosticError([diagnostics.merged_not_finite(undefined, { tensor })]);
  }
  if (difference === Number.POSITIVE_INFINITY) {
    const value = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    throw new DiagnosticError([
      diagnostics.merged_overflow(undefined, { tensor, dtype, value: value.toPrecision(6) }, { help: "store as bf16 or f32 (`as bf16`)" }),
    ]);
  }
  return { bytes, difference };
};

/** The index of a sharded base, with the new total of its tensors' bytes. */
const writeIndex = async (host: Host, base: MergeBase, partial: string, tensorBytes: number): Promise<void> => {
  const path = joinPath(base.folder, indexFile);
  if (base.files.length === 1 && base.files[0]!.name === weightsFile) return;
  const before = await host.read(path);
  const parsed = parseJson(before);
  const index = "value" in parsed && isRecord(parsed.value) ? parsed.value : {};
  const metadata = isRecord(index.metadata) ? index.metadata : {};
  // Changes only with the stored dtype.
  const same = metadata.total_size === tensorBytes;
  const text = `${JSON.stringify({ ...index, metadata: { ...metadata, total_size: tensorBytes } }, null, 2)}\n`;
  await writeWhole(host, joinPath(partial, indexFile), same ? before : text);
};
