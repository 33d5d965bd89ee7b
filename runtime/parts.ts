// A parameter that a checkpoint holds in parts: equal tensors whose elements follow each other in the parameter's row-major order, such
// as the experts of a layer. Reading joins them; writing gives each its own stretch of what was computed once.

import type { MergedTensor, Parts } from "../spec/job.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Room } from "./room.ts";

interface Stored {
  readonly tensor: string;
  readonly transposed?: boolean;
  readonly parts?: Parts;
}

/**
 * A parameter's values as f32, row-major in the job's orientation, from one tensor or from its parts; an array of its own, or with `room`
 * one that lies there. Throws a DiagnosticError.
 */
export const readStored = async (
  checkpoint: Pick<Checkpoint, "read">,
  { tensor, transposed = false, parts }: Stored,
  room?: Room,
): Promise<Float32Array> => {
  if (!parts) return checkpoint.read(tensor, { transposed, room });
  const size = sizeOf(parts);
  const values = room ? room(size * parts.names.length, "joined") : new Float32Array(size * parts.names.length);
  for (const [i, name] of parts.names.entries()) values.set(await checkpoint.read(name, { room }), i * size);
  return values;
};

/** Elements of one part. */
export const sizeOf = ({ shape }: Parts): number => shape.reduce((a, b) => a * b, 1);

/** The elements of the part at a place. */
export const partOf = (values: Float32Array, parts: Parts, place: number): Float32Array =>
  values.slice(place * sizeOf(parts), (place + 1) * sizeOf(parts));

/** Computes a whole tensor once for parts that are asked for one after the other. */
export const onceFor = <T>(compute: (whole: T) => Promise<Float32Array> | Float32Array): ((whole: T) => Promise<Float32Array>) => {
  let last: { readonly whole: T; readonly values: Float32Array } | undefined;
  return async (whole) => {
    if (last?.whole !== whole) last = { whole, values: await compute(whole) };
    return last.values;
  };
};

/** Merged tensors as the file holds them: one that lies there in parts is its parts. */
export const inParts = (
  merged: readonly MergedTensor[],
  compute: (tensor: MergedTensor) => Promise<Float32Array> | Float32Array,
): { readonly merged: readonly MergedTensor[]; readonly compute: (tensor: MergedTensor) => Promise<Float32Array> | Float32Array } => {
  const once = onceFor(compute);
  const owners = new Map<MergedTensor, () => Promise<Float32Array>>();
  const all = merged.flatMap((whole): readonly MergedTensor[] => {
    const { parts } = whole;
    if (!parts) return [whole];
    return parts.names.map((tensor, i) => {
      const part: MergedTensor = { tensor, transposed: false, shape: parts.shape, output: whole.output };
      owners.set(part, async () => partOf(await once(whole), parts, i));
      return part;
    });
  });
  return { merged: all, compute: (tensor) => owners.get(tensor)?.() ?? compute(tensor) };
};
