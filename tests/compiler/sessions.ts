// A compiled pipeline opened on the interpreter or on the cpu device, a batch run through one of its programs, and what counts as near.

import { cpuDevice } from "../../runtime/devices/cpu.ts";
import type { Session } from "../../runtime/devices/device.ts";
import { assert } from "../harness.ts";
import { bundle } from "./bundle.ts";
import { type Built, type randomBatch, referenceDevice } from "./support.ts";

export type Batch = ReturnType<typeof randomBatch>;

export const openReference = (built: Built): Promise<Session> =>
  referenceDevice(built.segments).open(built.job, async () => new Uint8Array());

export const openCpu = async (built: Built): Promise<Session> => {
  const device = await cpuDevice({ threads: 1 });
  const { job, read } = bundle(built);
  return device.open(job, read);
};

export const give = async (session: Session, batch: Batch, scale = 1 / batch.n): Promise<void> => {
  for (const name of ["ids", "positions", "rows", "targets"] as const) await session.write(name, batch[name]);
  await session.write("scale", Float32Array.of(scale));
};

export const lossOf = async (session: Session, program: string, batch: Batch): Promise<number> => {
  await give(session, batch);
  await session.run(program, { b: batch.b, t: batch.t, n: batch.n });
  return ((await session.read("loss", program)) as Float32Array)[0]!;
};

export const near = (actual: number, expected: number, relative: number, what: string, absolute = 1e-9): void =>
  assert.ok(Math.abs(actual - expected) <= relative * Math.abs(expected) + absolute, `${what}: ${actual} is not ${expected}`);
