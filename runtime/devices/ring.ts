// The ring of layers' weights: a layer is brought into its buffer when a call needs it, and the next one that will be needed into the other
// buffer meanwhile. One read at a time, so that reading needs the memory of one tensor.

import type { Job } from "../../spec/job.ts";

export interface Ring {
  /** The layer that a call reads, by the names of its values; undefined where it reads none. */
  readonly layerOf: (values: readonly string[]) => number | undefined;
  /** Resolves when the layer is in its buffer. Nothing may be running that reads another layer of that buffer. */
  readonly need: (layer: number) => Promise<void>;
  /** Of each call, the next other layer that a later one reads. */
  readonly following: (calls: readonly { readonly layer: number | undefined }[]) => readonly (number | undefined)[];
  /** Begins to bring it in, where the buffer is not the one of `beside`. */
  readonly ahead: (layer: number | undefined, beside: number | undefined) => void;
}

/** `fill` brings one value into its memory. */
export const openRing = ({ ring = [] }: Job, fill: (value: string) => Promise<void>): Ring => {
  const layers = new Map(ring.flatMap(({ values }, layer) => values.map((value) => [value, layer] as const)));
  /** By buffer: what is in it, or will be. */
  const there: { layer: number; ready: Promise<void> }[] = [];
  let reading: Promise<void> = Promise.resolve();
  const bring = (layer: number): Promise<void> => {
    const { slot, values } = ring[layer]!;
    const known = there[slot];
    if (known?.layer === layer) return known.ready;
    const ready = reading.then(async () => {
      for (const value of values) await fill(value);
    });
    there[slot] = { layer, ready };
    // What failed is told to whoever needs the layer, and is tried anew after that.
    reading = ready.catch(() => {
      if (there[slot]?.ready === ready) delete there[slot];
    });
    return ready;
  };
  return {
    layerOf: (values) => {
      for (const value of values) {
        const layer = layers.get(value);
        if (layer !== undefined) return layer;
      }
      return undefined;
    },
    need: bring,
    following: (calls) => {
      const found = new Array<number | undefined>(calls.length).fill(undefined);
      for (let i = calls.length - 2; i >= 0; i--) {
        const { layer } = calls[i + 1]!;
        found[i] = layer !== undefined && layer !== calls[i]!.layer ? layer : found[i + 1];
      }
      return found;
    },
    ahead: (layer, beside) => {
      if (layer === undefined) return;
      if (beside === undefined || ring[layer]!.slot !== ring[beside]!.slot) void bring(layer).catch(() => {});
    },
  };
};
