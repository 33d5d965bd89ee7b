// An adapter's computed first values: the job's steps, once, before it is trained. What crosses from one step to the next passes
// through the host.

import type { Adapter, InitStep, Job } from "../spec/job.ts";
import type { Data, Session } from "./devices/device.ts";
import { hostOps } from "./host-ops/index.ts";
import type { Observer } from "./observe.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** What first values may need beside the base. */
export interface InitOptions {
  readonly observe?: Observer | undefined;
  readonly tokens?: (() => Promise<Tokenizer>) | undefined;
}

/**
 * Computes and writes them. Programs run on the session's device, decompositions here, in double precision. `observe` runs a pass over
 * the data of the adapter's training; `tokens` opens the base's tokenizer, where text is read.
 */
export const initAdapter = async (job: Job, adapter: Adapter, session: Session, options: InitOptions = {}): Promise<void> => {
  await runSteps(job, adapter, adapter.init ?? [], session, options);
  await finishAdapter(job, adapter, session);
};

/** Computes and writes what is kept of a training, from what its other parameters are now. */
export const finishAdapter = async (job: Job, adapter: Adapter, session: Session): Promise<void> => {
  await runSteps(job, adapter, adapter.finish ?? [], session, {});
};

/** What the steps that decide an adapter's sizes come to, by the names of values. */
export const measureAdapter = (job: Job, adapter: Adapter, session: Session, options: InitOptions): Promise<ReadonlyMap<string, Data>> =>
  runSteps(job, adapter, adapter.measure?.steps ?? [], session, options);

/** Gives the values that are still there at the end: a value goes once no later step reads it, as sums may be as large as weights. */
const runSteps = async (
  job: Job,
  adapter: Adapter,
  steps: readonly InitStep[],
  session: Session,
  { observe, tokens }: InitOptions,
): Promise<ReadonlyMap<string, Data>> => {
  const values = new Map<string, Data>();
  const seed = job.train.find((train) => train.adapter === adapter.name)?.seed ?? job.base.seed;
  const read = async (value: string): Promise<Data> => values.get(value) ?? (await session.read(value));
  const last = new Map<string, number>();
  for (const [i, step] of steps.entries()) for (const name of readBy(job, step)) last.set(name, i);
  for (const [i, step] of steps.entries()) {
    for (const name of values.keys()) if ((last.get(name) ?? i) < i) values.delete(name);
    if (step.kind === "observe") {
      if (!observe) throw new Error(`the first values of ${adapter.name} are observed, and there is no data to observe`);
      for (const [name, sum] of await observe(step)) if (last.has(name)) values.set(name, sum);
      continue;
    }
    if (step.kind === "program") {
      const { inputs, outputs } = job.programs[step.program]!;
      for (const name of inputs) if (!job.values[name]) await session.write(name, values.get(name)!, step.program);
      await session.run(step.program, {});
      for (const name of outputs) if (!job.values[name]) values.set(name, await session.read(name, step.program));
      continue;
    }
    const op = hostOps[step.op];
    if (!op) throw new Error(`this runtime has no host operation ${step.op}`);
    const inputs: { shape: readonly number[]; data: Float32Array | Int32Array }[] = [];
    for (const { value, shape } of step.inputs) inputs.push({ shape, data: (await read(value)) as Float32Array | Int32Array });
    for (const [i, data] of op(inputs, step.attrs, {
      seed,
      place: step.outputs[0]!,
      tokenizer: step.op === "tokenize" ? await tokens?.() : undefined,
    }).entries())
      values.set(step.outputs[i]!, data);
  }
  return values;
};

/** The values between steps that a step reads. */
const readBy = (job: Job, step: InitStep): readonly string[] =>
  step.kind === "observe" ? [] : step.kind === "program" ? job.programs[step.program]!.inputs : step.inputs.map(({ value }) => value);
