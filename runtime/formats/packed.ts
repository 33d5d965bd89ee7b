// A tensor that lies packed in another library's checkpoint <-> its pieces. The format's `files` say which tensor holds which piece;
// what is no tensor (block sizes, the mean) lies as JSON in a tensor of bytes.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Format, FormatFiles } from "../../spec/job.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { DiagnosticError } from "../diagnostic-error.ts";
import type { StoredDType } from "../dtype.ts";
import { isRecord, parseJson } from "../json.ts";
import type { PieceData, Pieces } from "./encode.ts";

/** The full name of a key of `files`: "" is the tensor's own, ".x" follows it, "x" replaces its last part. */
const keyOf = (tensor: string, key: string): string =>
  key === "" ? tensor : key.startsWith(".") ? tensor + key : `${tensor.slice(0, tensor.lastIndexOf(".") + 1)}${key}`;

const settingsKey = ({ library, type }: FormatFiles): string => `.quant_state.${library}__${type}`;

const wrong = (tensor: string, format: Format, problem: string): DiagnosticError =>
  new DiagnosticError([
    diagnostics.packed_mismatch(
      undefined,
      { tensor, format: format.label, problem },
      { help: "the checkpoint was packed in another way; load it with the library that wrote it and save it in 16 bits" },
    ),
  ]);

/** Throws a DiagnosticError when the codebook or a setting is not the format's. */
export const readPacked = async (checkpoint: Pick<Checkpoint, "raw" | "tensors">, format: Format, tensor: string): Promise<Pieces> => {
  const files = format.files!;
  const pieces: Pieces = new Map();
  for (const { key, piece, table } of files.tensors) {
    const name = keyOf(tensor, key);
    const stored = checkpoint.tensors.get(name);
    if (!stored) throw wrong(tensor, format, `there is no ${name}`);
    if (piece === undefined && !table) continue;
    const bytes = await checkpoint.raw(name);
    const data = stored.dtype === "F32" ? new Float32Array(bytes.buffer) : bytes;
    if (piece !== undefined) pieces.set(piece, data);
    else if (table!.some((entry, i) => Math.abs(data[i]! - entry) > 1e-6)) throw wrong(tensor, format, `${name} is another codebook`);
  }
  if (files.entries.length > 0) {
    const name = keyOf(tensor, settingsKey(files));
    const parsed = parseJson(await checkpoint.raw(name));
    const settings = "value" in parsed && isRecord(parsed.value) ? parsed.value : {};
    for (const { key, value, piece } of files.entries) {
      const found = settings[key];
      if (piece !== undefined) {
        if (typeof found !== "number") throw wrong(tensor, format, `${name} has no ${key}`);
        pieces.set(piece, Float32Array.of(found));
      } else if (found !== value)
        throw wrong(tensor, format, `${name} says ${key} ${JSON.stringify(found)}, expected ${JSON.stringify(value)}`);
    }
  }
  return pieces;
};

export interface PackedTensor {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const torchTypes: Readonly<Record<string, string>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** How a checkpoint holds the pieces of a tensor of this shape; `dtype` is what it had before, which a library unpacks it to. */
export const packedTensors = (
  format: Format,
  pieces: ReadonlyMap<string, PieceData>,
  tensor: string,
  shape: readonly number[],
  dtype: StoredDType,
): PackedTensor[] => {
  const files = format.files!;
  const bytesOf = (data: PieceData): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const tensors = files.tensors.map(({ key, piece, table, value }): PackedTensor => {
    const name = keyOf(tensor, key);
    if (table) return { name, dtype: "F32", shape: [table.length], bytes: bytesOf(Float32Array.from(table)) };
    if (piece === undefined) return { name, dtype: "U8", shape: [], bytes: Uint8Array.of(value!) };
    const data = pieces.get(piece)!;
    if (piece === ".code" && format.bits === 8) return { name, dtype: format.signed ? "I8" : "U8", shape, bytes: bytesOf(data) };
    if (piece === ".code") return { name, dtype: "U8", shape: [data.length, 1], bytes: bytesOf(data) };
    return { name, dtype: data instanceof Float32Array ? "F32" : "U8", shape: [data.length], bytes: bytesOf(data) };
  });
  if (files.entries.length === 0) return tensors;
  const settings = Object.fromEntries(
    files.entries.map(({ key, value, piece }) => [key, piece === undefined ? value : (pieces.get(piece)! as Float32Array)[0]]),
  );
  const text = new TextEncoder().encode(JSON.stringify({ ...settings, dtype: torchTypes[dtype] ?? "float32", shape }));
  return [...tensors, { name: keyOf(tensor, settingsKey(files)), dtype: "U8", shape: [text.length], bytes: text }];
};
