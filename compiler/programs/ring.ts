// Frozen weights and the programs that read them -> which of them share two buffers: a ring that layers' weights are brought into when a
// call needs them, one layer while the other is computed with.
//
// Invariant: a call reads weights of one layer of the ring at most. What several layers read (a table of distances, a tied weight) stays in
// memory of its own, as everything outside the layers does.

import type { Place, RingLayer } from "../../spec/job.ts";
import { aligned } from "./place.ts";

export interface Ring {
  readonly places: ReadonlyMap<string, Place>;
  /** Of both buffers. */
  readonly bytes: number;
  readonly layers: readonly RingLayer[];
}

/** The layer that a parameter belongs to: its path up to the first number. */
const layerOf = (name: string): string | undefined => /^(?:[^.]+\.)*?\d+(?=\.)/.exec(name)?.[0];

/**
 * `weights`: bytes by name, in the model's order. `calls`: what each call of any program reads. `most`: layers in the ring, from the first;
 * two or fewer would save nothing.
 */
export const ringOf = (weights: ReadonlyMap<string, number>, calls: Iterable<readonly string[]>, most: number): Ring | undefined => {
  const apart = new Set<string>();
  for (const inputs of calls) {
    const read = inputs.filter((name) => weights.has(name) && layerOf(name) !== undefined);
    const counts = new Map<string, number>();
    for (const name of read) counts.set(layerOf(name)!, (counts.get(layerOf(name)!) ?? 0) + 1);
    const [own] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [];
    for (const name of read) if (layerOf(name) !== own) apart.add(name);
  }
  const layers = new Map<string, string[]>();
  for (const name of weights.keys()) {
    const layer = layerOf(name);
    if (layer === undefined || apart.has(name)) continue;
    layers.set(layer, [...(layers.get(layer) ?? []), name]);
  }
  const streamed = [...layers.values()].slice(0, most);
  if (streamed.length <= 2) return undefined;
  const sizeOf = (names: readonly string[]): number => names.reduce((sum, name) => sum + aligned(weights.get(name)!), 0);
  const buffer = Math.max(...streamed.map(sizeOf));
  const places = new Map<string, Place>();
  for (const [i, names] of streamed.entries()) {
    let offset = (i % 2) * buffer;
    for (const name of names) {
      places.set(name, { arena: "ring", offset });
      offset += aligned(weights.get(name)!);
    }
  }
  return { places, bytes: 2 * buffer, layers: streamed.map((values, i) => ({ slot: (i % 2) as 0 | 1, values })) };
};
