// What a WGSL kernel may assume about the device. Compilation targets a named profile, never the adapter of the machine at
// hand, so builds reproduce byte for byte. The numbers of "default" are WebGPU's own defaults (W3C WebGPU, §3.6.2 limits).

export interface Profile {
  readonly name: string;
  /** Storage buffers one kernel may bind. */
  readonly storageBuffers: number;
  /** Bytes of one binding. */
  readonly bindingBytes: number;
  readonly workgroupBytes: number;
  readonly invocations: number;
  readonly workgroupsPerDimension: number;
  readonly offsetAlignment: number;
}

export const profiles: Readonly<Record<string, Profile>> = {
  default: {
    name: "default",
    storageBuffers: 8,
    bindingBytes: 128 * 2 ** 20,
    workgroupBytes: 16 * 1024,
    invocations: 256,
    workgroupsPerDimension: 65535,
    offsetAlignment: 256,
  },
};
