// A file of torch.save -> the table of its tensors, as a safetensors header is one: names, dtypes, shapes, places. The file is a zip
// archive of stored (not compressed) members: one pickle that says what the tensors are, one member per storage. Nothing is run
// (pickle.ts), nothing is unpacked, and what cannot be read is refused with the reason.

import { diagnostics } from "../spec/diagnostics.generated.ts";
import { DiagnosticError } from "./diagnostic-error.ts";
import { bitsOf, type StoredDType } from "./dtype.ts";
import type { ReadableFile } from "./host.ts";
import { type PickledTensor, readPickle } from "./pickle.ts";
import type { TensorEntry } from "./safetensors.ts";

const dtypes: Readonly<Record<string, StoredDType>> = {
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  DoubleStorage: "F64",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

/** A member of an archive: where its bytes begin and how many there are. */
interface Member {
  readonly start: number;
  readonly bytes: number;
}

const largestPickle = 64 * 2 ** 20;

/** Throws a DiagnosticError that says what cannot be read. */
export const readTorchHeader = async (file: ReadableFile, path: string): Promise<readonly TensorEntry[]> => {
  const refuse = (problem: string): never => {
    throw new DiagnosticError([
      diagnostics.torch_file(undefined, { file: path, problem }, { help: "save it again with `safe_serialization=True`" }),
    ]);
  };
  const members = await readArchive(file);
  if ("problem" in members) return refuse(members.problem);
  const byName = (name: string): Member | undefined => members.get([...members.keys()].find((key) => key.endsWith(`/${name}`)) ?? "");
  const order = byName("byteorder");
  if (order && new TextDecoder().decode(await bytesOf(file, order.start, order.bytes)) === "big")
    return refuse("its numbers are big-endian");
  const pickle = byName("data.pkl");
  if (!pickle) return refuse("it has no `data.pkl`");
  if (pickle.bytes > largestPickle) return refuse(`its table of tensors has ${pickle.bytes} bytes`);
  const tensors = readPickle(await bytesOf(file, pickle.start, pickle.bytes));
  if ("problem" in tensors) return refuse((tensors as { problem: string }).problem);
  return [...tensors].map(([name, tensor]) => {
    const placed = place(tensor, byName(`data/${tensor.storage}`));
    return typeof placed === "string" ? refuse(`the tensor \`${name}\` ${placed}`) : { name, ...placed };
  });
};

/** Where a tensor lies in the file, or what is wrong with it. */
const place = ({ type, offset, shape, strides }: PickledTensor, storage: Member | undefined): Omit<TensorEntry, "name"> | string => {
  const dtype = dtypes[type];
  if (!dtype) return `is of ${type}, which is not read`;
  if (!storage) return "has no numbers";
  let step = 1;
  const rowMajor = shape.every((_, i) => {
    const axis = shape.length - 1 - i;
    const fits = shape[axis] === 1 || strides[axis] === step;
    step *= shape[axis]!;
    return fits;
  });
  if (!rowMajor && step > 0) return "is not stored row by row";
  const width = bitsOf(dtype) / 8;
  if ((offset + step) * width > storage.bytes) return "is larger than its storage";
  return { dtype, shape, start: storage.start + offset * width, bytes: step * width };
};

const bytesOf = async (file: ReadableFile, position: number, length: number): Promise<Uint8Array> => {
  const bytes = new Uint8Array(length);
  await file.read(position, bytes);
  return bytes;
};

const [endSignature, entrySignature, localSignature] = [0x06054b50, 0x02014b50, 0x04034b50];
const [endLength, entryLength, localLength, longestComment] = [22, 46, 30, 65535];

/** The members of a zip archive (APPNOTE.TXT 6.3), from its directory at the end. */
const readArchive = async (file: ReadableFile): Promise<ReadonlyMap<string, Member> | { readonly problem: string }> => {
  const tailStart = Math.max(0, file.size - endLength - longestComment);
  const tail = new DataView((await bytesOf(file, tailStart, file.size - tailStart)).buffer);
  let end = tail.byteLength - endLength;
  while (end >= 0 && tail.getUint32(end, true) !== endSignature) end--;
  if (end < 0) return { problem: "it is no zip archive; files of torch.save before version 1.6 are not read" };
  const [count, size, start] = [tail.getUint16(end + 10, true), tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
  if (count === 0xffff || start === 0xffffffff) return { problem: "it is larger than 4 GiB" };
  if (start + size > file.size) return { problem: "its directory is cut off" };
  const directory = new DataView((await bytesOf(file, start, size)).buffer);
  const members = new Map<string, Member>();
  for (let i = 0, at = 0; i < count; i++) {
    if (at + entryLength > size || directory.getUint32(at, true) !== entrySignature) return { problem: "its directory is damaged" };
    const [method, bytes, header] = [
      directory.getUint16(at + 10, true),
      directory.getUint32(at + 24, true),
      directory.getUint32(at + 42, true),
    ];
    const [name, extra, comment] = [28, 30, 32].map((field) => directory.getUint16(at + field, true)) as [number, number, number];
    const text = new TextDecoder().decode(new Uint8Array(directory.buffer, at + entryLength, Math.min(name, size - at - entryLength)));
    if (method !== 0) return { problem: `its part \`${text}\` is compressed` };
    if (header + localLength > file.size) return { problem: "its directory is damaged" };
    const local = new DataView((await bytesOf(file, header, localLength)).buffer);
    if (local.getUint32(0, true) !== localSignature) return { problem: "its directory is damaged" };
    const first = header + localLength + local.getUint16(26, true) + local.getUint16(28, true);
    if (first + bytes > file.size) return { problem: `its part \`${text}\` is cut off` };
    members.set(text, { start: first, bytes });
    at += entryLength + name + extra + comment;
  }
  return members;
};
