// The checksum that the hub names a file by: sha256 of what is stored apart from git, and git's own name of the rest, the sha1 of
// `blob SIZE\0` and the bytes.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

export interface Checksum {
  readonly update: (bytes: Uint8Array) => void;
  readonly digest: () => string;
}

/** Of the kind that the file's own has. */
export const startChecksum = ({ etag, size }: { readonly etag: string; readonly size: number }): Checksum => {
  const hash = createHash(etag.length === 64 ? "sha256" : "sha1");
  if (etag.length !== 64) hash.update(`blob ${size}\0`);
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest("hex") };
};

/** Of a file on this disk. */
export const checksumOf = async (path: string, file: { readonly etag: string; readonly size: number }): Promise<string> => {
  const sum = startChecksum(file);
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) sum.update(piece as Buffer);
  return sum.digest();
};
