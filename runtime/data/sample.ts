// What tells one data file from another without reading all of it: its size, and the digest of its first 64 KiB.

import { sha256 } from "../headers.ts";
import type { ReadingHost } from "../host.ts";

export interface Sample {
  readonly bytes: number;
  readonly sample_sha256: string;
}

const most = 64 << 10;

export const sampleOf = async (host: ReadingHost, path: string): Promise<Sample> => {
  const file = await host.open(path);
  try {
    const block = new Uint8Array(Math.min(most, file.size));
    await file.read(0, block);
    return { bytes: file.size, sample_sha256: await sha256(block) };
  } finally {
    await file.close();
  }
};
