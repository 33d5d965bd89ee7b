// Programs -> the memory plan: every value gets an arena and an offset before anything runs. Values of one program share
// the arena "activations" by lifetime; parameters, gradients and optimizer state of an adapter lie flat, each in one arena;
// frozen weights and caches have memory of their own. Sizes are taken at the largest symbols, so nothing moves at run time.

import type { Place, Program, TensorType, Value } from "../../spec/job.ts";
import { at, product } from "../values/dims.ts";
import type { ProgramGraph } from "./programs.ts";

/** Storage bindings start at multiples of this. */
export const alignment = 256;

export const bytesOf = (type: TensorType, sizes: Readonly<Record<string, number>>): number =>
  at(product(type.shape), sizes) * (type.dtype === "f16" || type.dtype === "bf16" ? 2 : type.dtype === "u8" ? 1 : 4);

export const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

export interface Placed {
  readonly values: Readonly<Record<string, Value>>;
  /** Bytes of the shared arena that this program needs. */
  readonly activations: number;
}

/** Places what `program` computes for itself; `globals` are placed already. */
export const place = (program: ProgramGraph, globals: ReadonlyMap<string, Value>, sizes: Readonly<Record<string, number>>): Placed => {
  const lifetimes = new Map<string, { first: number; last: number; bytes: number; type: TensorType }>();
  for (const [i, step] of program.steps.entries())
    for (const name of [...step.inputs, ...step.outputs]) {
      if (globals.has(name)) continue;
      const type = program.values.get(name)!;
      const known = lifetimes.get(name);
      if (known) known.last = i;
      else lifetimes.set(name, { first: i, last: i, bytes: aligned(bytesOf(type, sizes)), type });
    }
  for (const name of program.outputs) {
    const life = lifetimes.get(name);
    if (life) life.last = program.steps.length;
  }
  for (const name of program.inputs) {
    const life = lifetimes.get(name);
    if (life) life.first = -1;
  }

  const { offsets, bytes } = pack(lifetimes);
  const values: Record<string, Value> = {};
  for (const [name, life] of lifetimes) values[name] = { ...life.type, place: { arena: "activations", offset: offsets.get(name)! } };
  return { values, activations: bytes };
};

/** From the first step that holds a value to the last, both included. */
export interface Life {
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

/** Offsets at which no two values overlap that live at once, and the bytes they take together. */
export const pack = (lives: ReadonlyMap<string, Life>): { readonly offsets: ReadonlyMap<string, number>; readonly bytes: number } => {
  // Largest first into the lowest gap that is free for the whole lifetime (greedy by size, Pisarchyk and Lee 2020, arXiv 2001.03288).
  const placed: { first: number; last: number; start: number; end: number }[] = [];
  const offsets = new Map<string, number>();
  let total = 0;
  for (const [name, life] of [...lives].sort(([a, x], [b, y]) => y.bytes - x.bytes || (a < b ? -1 : 1))) {
    const rivals = placed.filter((other) => other.first <= life.last && life.first <= other.last).sort((a, b) => a.start - b.start);
    let start = 0;
    for (const rival of rivals) {
      if (rival.start - start >= life.bytes) break;
      start = Math.max(start, rival.end);
    }
    placed.push({ first: life.first, last: life.last, start, end: start + life.bytes });
    offsets.set(name, start);
    total = Math.max(total, start + life.bytes);
  }
  return { offsets, bytes: total };
};

/** Lays values one after the other in an arena; returns their places and its size in bytes. */
export const layOut = (
  arena: string,
  types: readonly (readonly [string, TensorType])[],
  sizes: Readonly<Record<string, number>>,
): { values: [string, Value][]; bytes: number } => {
  let offset = 0;
  const values = types.map(([name, type]): [string, Value] => {
    const place: Place = { arena, offset };
    offset += aligned(bytesOf(type, sizes));
    return [name, { ...type, place }];
  });
  return { values, bytes: offset };
};

/** Bytes that a program's own values take. */
export const extentOf = (values: Program["values"], sizes: Readonly<Record<string, number>>): number =>
  Object.values(values).reduce(
    (most, value) => ("arena" in value.place ? Math.max(most, value.place.offset + aligned(bytesOf(value, sizes))) : most),
    0,
  );

/** For `Program.peak`: bytes that the arenas it touches hold. */
export const peakOf = (
  program: Pick<Program, "values">,
  globals: ReadonlyMap<string, Value>,
  touched: ReadonlySet<string>,
  sizes: Readonly<Record<string, number>>,
): number => {
  let own = extentOf(program.values, sizes);
  let ring = 0;
  for (const name of touched) {
    const value = globals.get(name);
    if (!value) continue;
    // Layers follow each other in the ring: it is as large as what reaches furthest.
    if ("arena" in value.place && value.place.arena === "ring") ring = Math.max(ring, value.place.offset + aligned(bytesOf(value, sizes)));
    else own += aligned(bytesOf(value, sizes));
  }
  return own + ring;
};
