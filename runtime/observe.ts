// What methods observe: the first rows of a training's data go through the model, and each batch's sums are added up in double
// precision. Rows are taken in the order of the file, micro_batch_size at a time and never packed, so that what comes out depends on
// nothing else.

import type { InitStep, Job, Train } from "../spec/job.ts";
import { type Batch, fillBatch, planEpoch } from "./data/batches.ts";
import type { Examples } from "./data/examples.ts";
import { hiddenIn } from "./data/hidden.ts";
import { writeBatch } from "./data/write-batch.ts";
import type { Session } from "./devices/device.ts";
import type { Listener } from "./events.ts";

type Observe = Extract<InitStep, { readonly kind: "observe" }>;

/** The sums of one pass, by the names that first values read them under. */
export type Observer = (step: Observe) => Promise<ReadonlyMap<string, Float32Array>>;

/** What a training lets its adapter's methods observe; undefined where nothing is. */
export const observerOf = (job: Job, train: Train, all: Examples, session: Session, listen: Listener): Observer | undefined => {
  const { observe } = train;
  if (!observe) return undefined;
  const examples = hiddenIn(all, train.seed, 0);
  const { rows, share = 1 } = observe.amount;
  const count = Math.min(examples.count, rows ?? Math.max(1, Math.round(share * examples.count)));
  const plan = planEpoch({ ...examples, count }, { size: train.micro_batch_size, order: "file", seed: 0, epoch: 0 });
  return async ({ program, sums }) => {
    const title = `observe ${count} row${count === 1 ? "" : "s"} of ${train.data}.${train.split} for ${train.adapter}`;
    const totals = new Map<string, Float64Array>();
    for (const [i, planned] of plan.entries()) {
      const filled = fillBatch(examples, planned, train.sequence_len, observe.virtual);
      const { rows: tokens, labelled } = tokensOf(filled, observe.virtual ?? 0, examples);
      const dims = await writeBatch(session, { ...filled, n: tokens.length, rows: tokens }, observe.ends === true);
      if (job.programs[program]!.inputs.includes("labelled")) await session.write("labelled", labelled);
      await session.run(program, dims);
      for (const { value } of sums) {
        const part = (await session.read(value, program)) as Float32Array;
        const total = totals.get(value) ?? new Float64Array(part.length);
        for (let k = 0; k < part.length; k++) total[k]! += part[k]!;
        totals.set(value, total);
      }
      listen({ kind: "progress", title, done: i + 1, total: plan.length });
    }
    return new Map(sums.flatMap(({ value, as }) => as.map((name) => [name, Float32Array.from(totals.get(value)!)] as const)));
  };
};

/** The tokens of a batch that are no padding, by their place in [b·t], and 1 for each that the loss falls on: of rows with a class, all. */
const tokensOf = (
  { b, t, ends, rows }: Batch,
  virtual: number,
  { classes, originals }: Examples,
): { readonly rows: Int32Array; readonly labelled: Float32Array } => {
  const tokens: number[] = [];
  for (let row = 0; row < b; row++) for (let k = virtual; k <= ends[row * t]!; k++) tokens.push(row * t + k);
  // `rows` are the tokens before those that the loss falls on, or where tokens are hidden these themselves.
  const told = new Set(Array.from(rows, (row) => row + (originals ? 0 : 1)));
  return { rows: Int32Array.from(tokens), labelled: Float32Array.from(tokens, (token) => (classes || told.has(token) ? 1 : 0)) };
};
