// A compiled pipeline opened on the interpreter or on the cpu device, a batch run through one of its programs, and what counts as near.

import { cpuDevice } from "../../runtime/devices/cpu.ts";
import type { Session } from "../../runtime/devices/device.ts";
import type { ScalarExpr, Train } from "../../spec/job.ts";
import { evaluateScalar } from "../../spec/scalar.ts";
import { assert } from "../harness.ts";
import { bundle } from "./bundle.ts";
import { type Built, referenceDevice } from "./support.ts";

export interface Batch {
  readonly b: number;
  readonly t: number;
  readonly n: number;
  readonly ids: Int32Array;
  readonly positions: Int32Array;
  readonly rows: Int32Array;
  readonly targets: Int32Array;
  /** Where the program reads them. */
  readonly ends?: Int32Array;
}

export const openReference = (built: Built): Promise<Session> =>
  referenceDevice(built.segments).open(built.job, async () => new Uint8Array());

export const openCpu = async (built: Built): Promise<Session> => {
  const device = await cpuDevice({ threads: 1 });
  const { job, read } = bundle(built);
  return device.open(job, read);
};

export const give = async (session: Session, batch: Batch, scale = 1 / batch.n): Promise<void> => {
  for (const name of ["ids", "positions", "rows", "targets"] as const) await session.write(name, batch[name]);
  if (batch.ends) await session.write("ends", batch.ends);
  await session.write("scale", Float32Array.of(scale));
};

export const lossOf = async (session: Session, program: string, batch: Batch): Promise<number> => {
  await give(session, batch);
  await session.run(program, { b: batch.b, t: batch.t, n: batch.n });
  return ((await session.read("loss", program)) as Float32Array)[0]!;
};

export const near = (actual: number, expected: number, relative: number, what: string, absolute = 1e-9): void =>
  assert.ok(Math.abs(actual - expected) <= relative * Math.abs(expected) + absolute, `${what}: ${actual} is not ${expected}`);

/** Writes what of a program depends on the step alone. */
export const tellStep = async (
  session: Session,
  value: string,
  scalars: readonly ScalarExpr[],
  step: number,
  total = 10,
): Promise<void> => {
  const numbers = Float32Array.from(scalars, (expr) => evaluateScalar(expr, { step, total }));
  if (numbers.length > 0) await session.write(value, numbers);
};

/** The loss of a batch and its gradients, with what methods bind of a step. */
export const slopesAt = async (session: Session, train: Train, batch: Batch, step = 0): Promise<number> => {
  const loss = await lossOf(session, train.step, batch);
  if (!train.before) return loss;
  await tellStep(session, `${train.adapter}.before.scalars`, train.before.scalars, step);
  await session.run(train.before.program, {});
  return loss + (train.before.adds ? ((await session.read("added", train.before.program)) as Float32Array)[0]! : 0);
};

/** One optimizer step on a batch; its loss. At step 0 what methods keep has its first values. */
export const stepOn = async (session: Session, { job }: Built, batch: Batch, step: number, train = job.train[0]!): Promise<number> => {
  for (const { value, init } of (step === 0 && train.after?.state) || []) {
    const count = job.values[value]!.shape.reduce<number>((product, dim) => product * Number(dim), 1);
    await session.write(value, new Float32Array(count).fill(init));
  }
  const loss = await slopesAt(session, train, batch, step);
  await tellStep(session, `${train.adapter}.scalars`, train.scalars, step);
  await session.run(train.norm, {});
  await session.run(train.update, {});
  if (!train.after) return loss;
  await tellStep(session, `${train.adapter}.after.scalars`, train.after.scalars, step);
  await session.run(train.after.program, {});
  return loss;
};
