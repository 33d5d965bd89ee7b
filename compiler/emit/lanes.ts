// A job -> how many lanes the cpu device may have (runtime/devices/node-lanes.ts; spec/decisions/0073). Each holds the weights again, so the
// answer falls as the base grows, whose products then are long enough for all threads to work on one.

import type { Job } from "../../spec/job.ts";
import { bytesOf } from "../programs/place.ts";

/** What all copies of the weights may take together. */
const copiesBytes = 64 * 2 ** 20;
/** Everything lies in one WebAssembly memory, whose addresses end at 4 GiB. */
const memoryBytes = 2 * 2 ** 30;
const most = 8;

/** Arenas that every lane has for itself, beside the base: what programs read, and gradients of its share. */
export const ofEachLane = /^batch$|\.(parameters|gradients)$/;

export const lanesOf = ({ values, dims, arenas, ring, train, evaluate }: Job): number | undefined => {
  // A job that reads weights as it needs them has no memory for copies of them.
  if (ring) return undefined;
  const base = Object.values(values).reduce((sum, value) => sum + ("own" in value.place ? bytesOf(value, dims) : 0), 0);
  const weights = Object.entries(arenas).reduce((sum, [name, bytes]) => sum + (ofEachLane.test(name) ? bytes : 0), base);
  const everything = Object.values(arenas).reduce((sum, bytes) => sum + bytes, base);
  const rows = Math.max(0, ...[...train, ...evaluate].map((block) => block.micro_batch_size));
  const lanes = Math.min(most, rows, 1 + Math.floor(copiesBytes / Math.max(1, weights)));
  return lanes < 2 || everything > memoryBytes ? undefined : lanes;
};
