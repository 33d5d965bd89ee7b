// safetensors: eight bytes of length, a JSON header, then tensors end to end. Reading checks the whole header against the
// file's size before a single tensor is read; writing streams one tensor at a time and lays the file out byte for byte as
// Hugging Face's own writer does (large formats first, then by name).
// The format: https://huggingface.co/docs/safetensors. Limits and rules follow its reference implementation.

import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { throwIfAny } from "./diagnostic-error.ts";
import { bitsOf, isStoredDType, rankOf, type StoredDType, storedDTypes } from "./dtype.ts";
import type { Host, ReadableFile } from "./host.ts";
import { decodeUtf8, duplicateKeys, isRecord, parseJsonText } from "./json.ts";

export interface TensorEntry {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly start: number;
  readonly bytes: number;
}

export interface Header {
  readonly path: string;
  /** The header's text as it stands in the file, for its hash. */
  readonly raw: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order the bytes lie in the file. */
  readonly tensors: readonly TensorEntry[];
}

const longestHeader = 100_000_000;
const brokeOff = "its download broke off: fetch it again";
/** Enough to see a pattern; a damaged header can have one mistake per tensor. */
const mostReported = 20;

/** Reads and checks the header of an open file. Throws a DiagnosticError that lists every lie found. */
export const readHeader = async (file: ReadableFile, path: string): Promise<Header> => {
  if (file.size < 8) throwIfAny([diagnostics.safetensors_short(undefined, { file: path, size: file.size }, { help: brokeOff })]);
  const prefix = new Uint8Array(8);
  await file.read(0, prefix);
  const view = new DataView(prefix.buffer);
  // As a BigInt: half of the possible lengths do not fit a double exactly.
  const length = view.getBigUint64(0, true);
  const rest = file.size - 8;
  const limit =
    length > BigInt(longestHeader)
      ? `more than ${longestHeader.toLocaleString("en-US")} is refused`
      : length > BigInt(rest)
        ? `the file has ${rest} after the length`
        : length < 2n
          ? "the least is 2"
          : undefined;
  if (limit)
    throwIfAny([
      diagnostics.safetensors_header_length(
        undefined,
        { file: path, length: length.toString(), limit },
        {
          help:
            new TextDecoder().decode(prefix) === "version "
              ? "this is a Git LFS pointer in place of the file: fetch the file itself with `git lfs pull`"
              : "this is not a safetensors file, or its download broke off: fetch it again",
        },
      ),
    ]);
  const raw = new Uint8Array(Number(length));
  await file.read(8, raw);
  return checkHeader(raw, file.size, path);
};

/** Checks a header's text against the size of its file. Throws a DiagnosticError that lists every lie found. */
export const checkHeader = (raw: Uint8Array, size: number, path: string): Header => {
  const bad: Diagnostic[] = [];
  const text = decodeUtf8(raw);
  const parsed =
    text === undefined
      ? { problem: "it is not valid UTF-8" }
      : text.charCodeAt(0) !== 0x7b || raw[0] !== 0x7b
        ? { problem: "it does not start with `{`" }
        : parseJsonText(text);
  if ("problem" in parsed) {
    throwIfAny([diagnostics.safetensors_header_text(undefined, { file: path, reason: parsed.problem })]);
    throw new Error("unreachable");
  }
  for (const key of duplicateKeys(text!)) bad.push(diagnostics.safetensors_duplicate_key(undefined, { file: path, key }));

  const dataStart = 8 + raw.length;
  const tensors: TensorEntry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(parsed.value as Record<string, unknown>)) {
    if (name === "__metadata__") {
      if (entry === null) continue; // the reference implementation takes it for none
      if (isRecord(entry) && Object.values(entry).every((value) => typeof value === "string")) metadata = entry as Record<string, string>;
      else bad.push(diagnostics.safetensors_entry(undefined, { file: path, tensor: name, problem: "must map text to text" }));
      continue;
    }
    const checked = checkEntry(name, entry, path, dataStart);
    if ("code" in checked) bad.push(checked);
    else tensors.push(checked);
  }
  tensors.sort((a, b) => a.start - b.start || a.bytes - b.bytes);
  // With a broken entry left out, holes would be reported that are not there.
  if (bad.length === 0) bad.push(...checkLayout(tensors, dataStart, size, path));
  if (bad.length > mostReported) {
    const more = bad.length - mostReported;
    const last = bad[mostReported - 1]!;
    bad.splice(mostReported - 1, bad.length, { ...last, notes: [...last.notes, { message: `and ${more} more like these` }] });
  }
  throwIfAny(bad);
  return { path, raw, metadata, tensors };
};

const checkEntry = (tensor: string, entry: unknown, file: string, dataStart: number): TensorEntry | Diagnostic => {
  const wrong = (problem: string) => diagnostics.safetensors_entry(undefined, { file, tensor, problem });
  if (!isRecord(entry)) return wrong("is not an object");
  const { dtype, shape, data_offsets: offsets } = entry;
  const unknown = Object.keys(entry).find((key) => key !== "dtype" && key !== "shape" && key !== "data_offsets");
  if (unknown !== undefined) return wrong(`has the unknown key \`${unknown}\``);
  if (typeof dtype !== "string") return wrong("has no dtype");
  if (!isStoredDType(dtype))
    return diagnostics.safetensors_dtype(undefined, { file, tensor, dtype }, { notes: [{ message: `known: ${storedDTypes.join(", ")}` }] });
  if (!isSizes(shape)) return wrong("has a shape that is not a list of whole numbers from 0 to 2^53");
  if (!isSizes(offsets) || offsets.length !== 2) return wrong("has data_offsets that are not two whole numbers from 0 to 2^53");
  const [start, end] = offsets as [number, number];
  if (end < start) return wrong(`ends at ${end} before it starts at ${start}`);
  let expected = bitsOf(dtype);
  for (const size of shape) {
    expected *= size;
    if (!Number.isSafeInteger(expected)) return wrong(`has a shape of more than 2^53 bits: [${shape.join(", ")}]`);
  }
  if (expected !== (end - start) * 8)
    return diagnostics.safetensors_size(undefined, {
      file,
      tensor,
      dtype,
      shape: `[${shape.join(", ")}]`,
      expected: expected / 8,
      found: end - start,
    });
  return { name: tensor, dtype, shape, start: dataStart + start, bytes: end - start };
};

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);

const checkLayout = (tensors: readonly TensorEntry[], dataStart: number, size: number, file: string): Diagnostic[] => {
  const bad: Diagnostic[] = [];
  const wrong = (problem: string, help = "whatever wrote the file is at fault: save it again with the safetensors library") =>
    bad.push(diagnostics.safetensors_offsets(undefined, { file, problem }, { help }));
  let end = dataStart;
  let before = "the header";
  for (const { name, start, bytes } of tensors) {
    if (start > end) wrong(`${start - end} bytes between ${before} and \`${name}\` belong to no tensor`);
    if (start < end) wrong(`\`${name}\` starts ${end - start} bytes before the end of ${before}`);
    end = Math.max(end, start + bytes);
    before = `\`${name}\``;
  }
  if (end > size) wrong(`the tensors need ${end} bytes, the file has ${size}`, brokeOff);
  if (end < size) wrong(`${size - end} bytes after the last tensor belong to no tensor`);
  return bad;
};

/** A tensor to be written. */
export interface TensorPlan {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
}

/** Bytes of a tensor as stored. */
export const bytesOf = ({ dtype, shape }: TensorPlan): number => (shape.reduce((a, b) => a * b, 1) * bitsOf(dtype)) / 8;

/** The first bytes of a file (length and header) and its tensors in the order their bytes follow. */
export const layOut = <T extends TensorPlan>(
  plans: readonly T[],
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): { head: Uint8Array; tensors: readonly (T & { readonly bytes: number })[] } => {
  const encoder = new TextEncoder();
  const tensors = plans
    .map((plan) => ({ ...plan, bytes: bytesOf(plan), key: encoder.encode(plan.name) }))
    .sort((a, b) => rankOf(b.dtype) - rankOf(a.dtype) || compareBytes(a.key, b.key))
    .map(({ key: _, ...plan }) => plan as unknown as T & { bytes: number });
  // Built as text: an object would move names like "0" to its front.
  const parts: string[] = [];
  if (Object.keys(metadata).length > 0) parts.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let offset = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    parts.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":[${offset},${offset + bytes}]}`);
    offset += bytes;
  }
  const json = encoder.encode(`{${parts.join(",")}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  return { head, tensors };
};

/** UTF-8 order, as Rust compares strings; JavaScript's own order differs beyond the basic plane. */
const compareBytes = (a: Uint8Array, b: Uint8Array): number => {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
};

export type Chunks = Uint8Array | AsyncIterable<Uint8Array>;

/**
 * Writes a file: header first, then each tensor as `produce` returns it, whole or in pieces. Nothing has the file's name until
 * everything is on the disk; when anything throws, nothing is left. Returns the size in bytes.
 */
export const writeSafetensors = async <T extends TensorPlan>(
  host: Host,
  path: string,
  plans: readonly T[],
  produce: (plan: T) => Promise<Chunks> | Chunks,
  metadata?: Readonly<Record<string, string>>,
): Promise<number> => {
  const { head, tensors } = layOut(plans, metadata);
  const file = await host.create(path);
  let size = head.length;
  try {
    // Small tensors are gathered: a write per bias would cost more than its bytes.
    const gathered = new Uint8Array(1 << 20);
    let held = 0;
    const flush = async () => {
      if (held > 0) await file.write(gathered.subarray(0, held));
      held = 0;
    };
    const put = async (bytes: Uint8Array) => {
      if (held + bytes.length > gathered.length) await flush();
      if (bytes.length >= gathered.length) await file.write(bytes);
      else {
        gathered.set(bytes, held);
        held += bytes.length;
      }
    };
    await put(head);
    for (const tensor of tensors) {
      const chunks = await produce(tensor);
      let written = 0;
      if (chunks instanceof Uint8Array) {
        await put(chunks);
        written = chunks.length;
      } else
        for await (const chunk of chunks) {
          await put(chunk);
          written += chunk.length;
        }
      if (written !== tensor.bytes) throw new Error(`${tensor.name}: ${tensor.bytes} bytes were planned, ${written} came`);
      size += written;
    }
    await flush();
    await file.commit();
  } finally {
    await file.abort();
  }
  return size;
};
