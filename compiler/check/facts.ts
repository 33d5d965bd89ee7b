// What an adapter's file weighs, from the names and shapes it will hold.

import { adapterMetadata } from "../../spec/adapter-header.ts";
import { foldedShape } from "../../spec/folded.ts";
import type { AdapterFiles } from "../../spec/job.ts";
import { turnedShape } from "../../spec/turned.ts";
import { factTable } from "./fact-table.ts";

/** Names that `require` knows. */
export const knownFacts = Object.keys(factTable);

/** The shape a tensor has in the file. */
export const storedShape = (
  { parameter, transposed, joined, fold }: AdapterFiles["tensors"][number],
  shapes: ReadonlyMap<string, readonly number[]>,
): readonly number[] => {
  const one = shapes.get(parameter)!;
  const shape = joined
    ? one.map((dim, axis) => (axis === joined.axis ? joined.parts.reduce((sum, part) => sum + shapes.get(part.parameter)![axis]!, 0) : dim))
    : one;
  if (fold) return foldedShape(shape, fold);
  return transposed ? turnedShape(shape) : shape;
};

/** Bytes of an adapter's safetensors: eight bytes of length, the padded header, the tensors. */
export const adapterFileBytes = (files: AdapterFiles, shapes: ReadonlyMap<string, readonly number[]>): number => {
  let offset = 0;
  const metadata = adapterMetadata(files.library);
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  for (const tensor of files.tensors) {
    const { key } = tensor;
    const shape = storedShape(tensor, shapes);
    const bytes = 4 * shape.reduce((a, b) => a * b, 1);
    header[key] = { dtype: "F32", shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  return 8 + Math.ceil(JSON.stringify(header).length / 8) * 8 + offset;
};
