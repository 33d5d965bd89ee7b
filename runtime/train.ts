// The training loop: batches in, a trained adapter in the session's memory out. A step is one or more micro-batches through
// the program `step`, their gradients summed, then the program `update`. A function of (job, data, seed) alone: same device,
// same bits, also when it was stopped and resumed in between.

import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Job, ScalarExpr, Train } from "../spec/job.ts";
import { evaluateScalar } from "../spec/scalar.ts";
import { type PlannedBatch, planEpoch } from "./data/batches.ts";
import type { Examples } from "./data/examples.ts";
import { hiddenIn } from "./data/hidden.ts";
import { runBatch } from "./data/run-batch.ts";
import type { Session } from "./devices/device.ts";
import { arrayTypes } from "./devices/sizes.ts";
import { DiagnosticError } from "./diagnostic-error.ts";
import { stream } from "./draw.ts";
import type { Listener } from "./events.ts";
import type { Watch } from "./watch.ts";

/** Everything beyond parameters and optimizer state that training continues from. */
export interface Position {
  /** Optimizer steps done. */
  readonly step: number;
  readonly epoch: number;
  /** Batches of this epoch that are done. */
  readonly batch: number;
}

export interface TrainOutcome {
  readonly position: Position;
  readonly total: number;
  readonly losses: readonly number[];
  /** Of each loss, what methods added to it; where they do. */
  readonly added?: readonly number[];
  readonly norms: readonly number[];
  readonly rates: readonly number[];
  readonly tokens: number;
  readonly seconds: number;
  readonly interrupted: boolean;
  /** Before its last step, since nothing was gained any more. */
  readonly stopped: boolean;
}

export interface TrainOptions {
  readonly listen: Listener;
  readonly signal?: AbortSignal | undefined;
  readonly from?: Position | undefined;
  /** For a bank of adapters: the place of each example's. */
  readonly places?: Int32Array | undefined;
  /** [curvesOf(train), total]: loss, norm, rate and what was added to the loss, of each step so far; filled on, so that a resumed run has its whole curve. */
  readonly history: Float32Array;
  /** Runs the update; by default the job's program. See paged.ts. */
  readonly update?: (() => Promise<void>) | undefined;
  /** Evaluates meanwhile, where the job says so. */
  readonly watch?: Watch | undefined;
  /** Called when the job says that state should be saved, and when training is interrupted. */
  readonly save?: ((position: Position) => Promise<void>) | undefined;
}

/** Values whose contents are the state of a training: parameters first, then the optimizer's, then what methods keep. */
export const stateOf = (train: Train): string[] => [
  `${train.adapter}.parameters`,
  ...[...train.state, ...(train.after?.state ?? [])].map((state) => state.value),
];

/** How many numbers are kept of each step. */
export const curvesOf = (train: Train): number => (train.before?.adds ? 4 : 3);

/** The batches of one epoch. */
const planOf = (train: Train, examples: Examples, epoch: number): readonly PlannedBatch[] =>
  planEpoch(examples, {
    size: train.micro_batch_size,
    order: train.shuffle ? "shuffled" : "file",
    seed: train.seed,
    epoch,
    packed: train.packing ? train.sequence_len : undefined,
  });

/** Optimizer steps of a whole training. */
export const totalSteps = (train: Train, examples: Examples): number => {
  if (train.steps !== undefined) return train.steps;
  const stepsOf = (batches: number): number => Math.ceil(batches / train.gradient_accumulation_steps);
  if (!train.packing) return train.epochs! * stepsOf(Math.ceil(examples.count / train.micro_batch_size));
  // How many rows the examples fill differs a little from epoch to epoch.
  let total = 0;
  for (let epoch = 0; epoch < train.epochs!; epoch++) total += stepsOf(planOf(train, examples, epoch).length);
  return total;
};

export const trainAdapter = async (
  job: Job,
  train: Train,
  examples: Examples,
  session: Session,
  options: TrainOptions,
): Promise<TrainOutcome> => {
  const { listen, signal, save } = options;
  const total = totalSteps(train, examples);
  let { step, epoch, batch } = options.from ?? { step: 0, epoch: 0, batch: 0 };
  let shown = hiddenIn(examples, train.seed, epoch);
  let plan = planOf(train, shown, epoch);
  if (step === 0)
    for (const { value, init } of [...train.state, ...(train.after?.state ?? [])])
      if (init !== 0) await session.write(value, new arrayTypes[job.values[value]!.dtype](sizeOf(job, value)).fill(init));

  const { history } = options;
  const first = step;
  let tokens = 0;
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;

  const giveUp = async (what: string, value: number): Promise<never> => {
    if (step > 0) await save?.({ step, epoch, batch });
    throw notFinite(what, step, train, value, step > 0 && save !== undefined);
  };

  let stopped = false;
  while (step < total && !signal?.aborted) {
    if (batch >= plan.length) {
      epoch++;
      batch = 0;
      shown = hiddenIn(examples, train.seed, epoch);
      plan = planOf(train, shown, epoch);
    }
    const group = plan.slice(batch, batch + train.gradient_accumulation_steps);
    const labels = group.reduce((sum, planned) => sum + planned.labels, 0);
    let loss = 0;
    let begun = false;
    for (const [micro, planned] of group.entries()) {
      if (planned.labels === 0) continue;
      await session.write("scale", Float32Array.of(1 / labels));
      tokens += await runBatch(session, train.step, planned, {
        examples: shown,
        limit: train.sequence_len,
        virtual: train.virtual,
        ends: train.ends === true,
        places: options.places,
        ...(train.seeds > 0 && { own: (share: number) => [["seeds", seedsOf(train, step, micro, share)]] }),
        sums: ["loss", `${train.adapter}.gradients`],
      });
      loss += ((await session.read("loss", train.step)) as Float32Array)[0]!;
      if (train.accumulate) {
        await session.write("keep", Float32Array.of(begun ? 1 : 0));
        await session.run(train.accumulate, {});
      }
      begun = true;
    }
    const names = { step, total };
    const tell = async (value: string, scalars: readonly ScalarExpr[]): Promise<void> => {
      const numbers = Float32Array.from(scalars, (expr) => evaluateScalar(expr, names));
      if (numbers.length > 0) await session.write(value, numbers);
    };
    let added: number | undefined;
    if (train.before) {
      await tell(`${train.adapter}.before.scalars`, train.before.scalars);
      await session.run(train.before.program, {});
      if (train.before.adds) added = ((await session.read("added", train.before.program)) as Float32Array)[0]!;
      loss += added ?? 0;
    }
    // Checked before the parameters move: what was trained up to here is whole, and is saved.
    if (!Number.isFinite(loss)) await giveUp("loss", loss);
    await tell(`${train.adapter}.scalars`, train.scalars);
    await session.run(train.norm, {});
    const norm = ((await session.read("norm", train.norm)) as Float32Array)[0]!;
    if (!Number.isFinite(norm)) await giveUp("gradient", norm);
    await (options.update ?? (() => session.run(train.update, {})))();
    if (train.after) {
      await tell(`${train.adapter}.after.scalars`, train.after.scalars);
      await session.run(train.after.program, {});
    }
    const rate = evaluateScalar(train.rate, names);
    history[step] = loss;
    history[total + step] = norm;
    history[2 * total + step] = rate;
    if (added !== undefined) history[3 * total + step] = added;
    step++;
    batch += group.length;
    const done = step - first;
    listen({
      kind: "step",
      adapter: train.adapter,
      step,
      total,
      loss,
      ...(added !== undefined && { added }),
      rate,
      norm,
      tokensPerSecond: tokens / seconds(),
      secondsLeft: (seconds() / done) * (total - step),
    });
    if (options.watch?.due(step, total, batch >= plan.length, epoch)) stopped = await options.watch.look(step);
    if (stopped) break;
    if (save && step < total && isDue(train, step, batch >= plan.length, epoch)) await save({ step, epoch, batch });
  }
  const position = { step, epoch, batch };
  const interrupted = step < total && !stopped;
  if (interrupted) await save?.(position);
  else await options.watch?.finish();
  const curve = (row: number): number[] => Array.from(history.subarray(row * total, row * total + step));
  return {
    position,
    total,
    losses: curve(0),
    norms: curve(1),
    rates: curve(2),
    ...(train.before?.adds && { added: curve(3) }),
    tokens,
    seconds: seconds(),
    interrupted,
    stopped: stopped && step < total,
  };
};

const isDue = (train: Train, step: number, epochEnds: boolean, epoch: number): boolean => {
  const { checkpoint } = train;
  if (!checkpoint) return false;
  return checkpoint.unit === "steps" ? step % checkpoint.every === 0 : epochEnds && (epoch + 1) % checkpoint.every === 0;
};

/** One i32 per gated stage, 64 apart, from (seed, step, micro-batch, share) alone: the rows of each share are counted from 0. */
const seedsOf = (train: Train, step: number, micro: number, share: number): Int32Array => {
  const seeds = new Int32Array(64 * train.seeds);
  const block = stream(train.seed, `gates of step ${step}, micro-batch ${micro}${share > 0 ? `, share ${share}` : ""}`);
  const words = new Uint32Array(4);
  for (let i = 0; i < train.seeds; i++) {
    if (i % 4 === 0) block(i / 4, words);
    seeds[64 * i] = words[i % 4]! | 0;
  }
  return seeds;
};

const sizeOf = (job: Job, value: string): number => job.values[value]!.shape.reduce<number>((product, dim) => product * Number(dim), 1);

const notFinite = (what: string, step: number, train: Train, value: number, saved: boolean): DiagnosticError =>
  new DiagnosticError([
    diagnostics.not_finite(
      undefined,
      { what, value: String(value), step: step + 1, adapter: train.adapter },
      {
        notes: saved ? [{ message: `what the ${step} step${step === 1 ? "" : "s"} before it made of ${train.adapter} is saved` }] : [],
        help: "lower the learning rate, add `max_grad_norm: 1.0`, or look for an odd row of data",
      },
    ),
  ]);
