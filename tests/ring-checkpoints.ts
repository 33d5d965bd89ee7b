// Checkpoints for the tests of the ring: random numbers into a file of zeros, another dtype, several files with an index.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Shown } from "./checker/peft-in.ts";

interface Entry {
  dtype: string;
  readonly shape: readonly number[];
  data_offsets: [number, number];
}

const readFile = (path: string): { readonly header: Record<string, Entry>; readonly data: Buffer } => {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  return { header: JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, Entry>, data: bytes.subarray(8 + length) };
};

const writeFile = (path: string, tensors: readonly (readonly [string, Entry, Buffer])[]): void => {
  let at = 0;
  const header = Object.fromEntries(
    tensors.map(([name, entry, bytes]) => {
      const offsets: [number, number] = [at, at + bytes.length];
      at += bytes.length;
      return [name, { ...entry, data_offsets: offsets }];
    }),
  );
  const text = JSON.stringify(header);
  const padded = text.padEnd(Math.ceil(text.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  writeFileSync(path, Buffer.concat([length, Buffer.from(padded), ...tensors.map(([, , bytes]) => bytes)]));
};

/** Every tensor of the file gets random numbers: small ones, near 1 where it scales. */
export const fillWeights = (path: string, dtype: "F32" | "BF16"): void => {
  let state = 12345;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const { header } = readFile(path);
  writeFile(
    path,
    Object.entries(header).map(([name, entry]) => {
      const count = entry.shape.reduce((a, b) => a * b, 1);
      const values = Float32Array.from(
        { length: count },
        () => (entry.shape.length === 1 && /weight$/.test(name) ? 1 : 0) + 0.2 * random(),
      );
      const words = new Uint32Array(values.buffer);
      const bytes = dtype === "F32" ? Buffer.from(values.buffer) : Buffer.from(Uint16Array.from(words, (word) => word >>> 16).buffer);
      return [name, { ...entry, dtype }, bytes];
    }),
  );
};

/** The folder's one file as several with an index, tensors dealt out in turn. */
export const intoShards = (folder: string, shards: number): void => {
  const path = join(folder, "model.safetensors");
  const { header, data } = readFile(path);
  const names = Object.keys(header);
  const nameOf = (i: number): string => `model-${String(i + 1).padStart(5, "0")}-of-${String(shards).padStart(5, "0")}.safetensors`;
  const map: Record<string, string> = {};
  for (let i = 0; i < shards; i++) {
    const own = names.filter((_, at) => at % shards === i);
    for (const name of own) map[name] = nameOf(i);
    writeFile(
      join(folder, nameOf(i)),
      own.map((name) => [name, header[name]!, data.subarray(...header[name]!.data_offsets)]),
    );
  }
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
  rmSync(path);
};

export const codesOf = ({ out, err }: Shown): readonly string[] =>
  [...`${out}${err}`.matchAll(/\[(PEFT\d{4})\]/g)].map(([, code]) => code!);
