// A tensor that lies packed in another library's checkpoint <-> its pieces. The format's `files` say which tensor holds which piece;
// what is no tensor (block sizes, the mean) lies as JSON in a tensor of bytes.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Format, FormatFiles } from "../../spec/job-formats.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { DiagnosticError } from "../diagnostic-error.ts";
import type { StoredDType } from "../dtype.ts";
import { isRecord, parseJson } from "../json.ts";
import { type PieceData, type Pieces, piecesOf } from "./encode.ts";

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

/** Names of everything that a checkpoint holds of a packed tensor. */
export const packedNames = (files: FormatFiles, tensor: string): string[] => [
  ...files.tensors.map(({ key }) => keyOf(tensor, key)),
  ...(files.entries.length ? [keyOf(tensor, settingsKey(files))] : []),
];

/** The tensors that hold a packed one, before there is anything in them. */
export const packedPlans = (format: Format, tensor: string, shape: readonly number[]): Omit<PackedTensor, "bytes">[] => {
  const files = format.files!;
  const counts = new Map(piecesOf(format, shape).map(({ suffix, dtype, elements }) => [suffix, { dtype, elements }]));
  const plans = files.tensors.map(({ key, piece, table }): Omit<PackedTensor, "bytes"> => {
    const name = keyOf(tensor, key);
    if (table) return { name, dtype: "F32", shape: [table.length] };
    if (piece === undefined) return { name, dtype: "U8", shape: [] };
    const { dtype, elements } = counts.get(piece)!;
    if (piece === ".code" && format.bits === 8) return { name, dtype: format.signed ? "I8" : "U8", shape };
    if (piece === ".code") return { name, dtype: "U8", shape: [elements, 1] };
    return { name, dtype: dtype === "u8" ? "U8" : "F32", shape: [elements] };
  });
  const length = settingsText(files, shape, () => 0).length + widest * files.entries.filter(({ piece }) => piece !== undefined).length;
  return files.entries.length ? [...plans, { name: keyOf(tensor, settingsKey(files)), dtype: "U8", shape: [length] }] : plans;
};

/** How a checkpoint holds the pieces of a tensor of this shape. */
export const packedTensors = (
  format: Format,
  pieces: ReadonlyMap<string, PieceData>,
  tensor: string,
  shape: readonly number[],
): PackedTensor[] => {
  const files = format.files!;
  const bytesOf = (data: PieceData): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return packedPlans(format, tensor, shape).map((plan, i): PackedTensor => {
    const of = files.tensors[i];
    if (!of) {
      const text = settingsText(files, shape, (piece) => (pieces.get(piece)! as Float32Array)[0]!);
      return { ...plan, bytes: new TextEncoder().encode(text.padEnd(plan.shape[0]!)) };
    }
    if (of.table) return { ...plan, bytes: bytesOf(Float32Array.from(of.table)) };
    return { ...plan, bytes: of.piece === undefined ? Uint8Array.of(of.value!) : bytesOf(pieces.get(of.piece)!) };
  });
};

/** Characters of the longest number; JSON takes spaces after its end, so a file can be laid out before a number is known. */
const widest = 25;

/** Unpacked by the library to f32, which is what the codes were made from. */
const settingsText = (files: FormatFiles, shape: readonly number[], numberOf: (piece: string) => number): string =>
  JSON.stringify({
    ...Object.fromEntries(files.entries.map(({ key, value, piece }) => [key, piece === undefined ? value : numberOf(piece)])),
    dtype: "float32",
    shape,
  });
