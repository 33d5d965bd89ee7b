// Tensors by name, from and to a safetensors file, as doubles: what both sides of a comparison are read into.

import { fromBytes, toBytes } from "../../../runtime/dtype.ts";
import { nodeHost } from "../../../runtime/node-host.ts";
import { readHeader, writeSafetensors } from "../../../runtime/safetensors.ts";

export interface Stored {
  readonly shape: readonly number[];
  readonly values: Float32Array | Float64Array;
  /** Positions and the like, stored as 32-bit whole numbers. */
  readonly whole?: true;
}

export type Tensors = ReadonlyMap<string, Stored>;

export const readTensors = async (path: string): Promise<Tensors> => {
  const file = await nodeHost.open(path);
  try {
    const tensors = new Map<string, Stored>();
    for (const { name, dtype, shape, start, bytes } of (await readHeader(file, path)).tensors) {
      const raw = new Uint8Array(bytes);
      await file.read(start, raw);
      if (dtype === "I32") tensors.set(name, { shape, values: Float64Array.from(new Int32Array(raw.buffer)), whole: true });
      else tensors.set(name, { shape, values: dtype === "F64" ? new Float64Array(raw.buffer) : fromBytes(raw, dtype as "F32") });
    }
    return tensors;
  } finally {
    await file.close();
  }
};

export const writeTensors = async (path: string, tensors: Tensors): Promise<void> => {
  const plans = [...tensors].map(([name, { shape, whole }]) => ({ name, dtype: whole ? ("I32" as const) : ("F32" as const), shape }));
  await writeSafetensors(nodeHost, path, plans, async ({ name, dtype }) => {
    const { values } = tensors.get(name)!;
    return dtype === "I32" ? new Uint8Array(Int32Array.from(values).buffer) : toBytes(Float32Array.from(values), "F32");
  });
};

/** ‖ours − theirs‖ / ‖theirs‖ of each of their tensors; infinite where ours lacks it or has another shape. */
export const distances = (ours: Tensors, theirs: Tensors): Map<string, number> =>
  new Map(
    [...theirs].map(([name, { shape, values }]) => {
      const own = ours.get(name);
      if (!own || own.shape.join() !== shape.join()) return [name, Number.POSITIVE_INFINITY];
      const apart = Math.hypot(...values.map((x, i) => x - own.values[i]!));
      const size = Math.hypot(...values);
      return [name, Number.isNaN(apart) ? Number.POSITIVE_INFINITY : size > 0 ? apart / size : apart];
    }),
  );

export const worst = (found: ReadonlyMap<string, number>): { readonly name: string; readonly far: number } =>
  [...found].reduce((most, [name, far]) => (far > most.far ? { name, far } : most), { name: "", far: 0 });
