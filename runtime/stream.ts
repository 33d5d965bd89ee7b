// Weights that a device brings in as it needs them: read from the checkpoint by position, straight into the memory they are wanted in.

import type { Job } from "../spec/job.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { readStored } from "./parts.ts";
import { makeRoom, type Room } from "./room.ts";

/** Fills the memory of a base's parameter with its values, row-major. */
export type ReadWeights = (parameter: string, into: Float32Array<ArrayBuffer>) => Promise<void>;

export const streamFrom = (job: Job, checkpoint: Checkpoint): ReadWeights => {
  const sources = new Map(job.parameters.map(({ name, source }) => [name, source]));
  const beside = makeRoom();
  return async (parameter, into) => {
    const source = sources.get(parameter);
    if (source?.kind !== "checkpoint") throw new Error(`${parameter} is not in the checkpoint, and cannot be read again`);
    const last = source.parts ? "joined" : source.transposed ? "turned" : undefined;
    const take = (count: number, place?: string) => (place === last && count === into.length ? into : beside(count, place));
    const room: Room = Object.assign(take, { close: beside.close });
    await readStored(checkpoint, source, room);
  };
};
