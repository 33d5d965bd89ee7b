// What inference costs: seconds per token of one row, one token at a time, over a cache that is already there. The median of many
// steps, since other programs share the machine; the first steps warm up and are not counted. An adapter is measured as it runs, and merged:
// the base's own program with the merged weights in its place.

import type { Evaluate, Job, MergedTensor } from "../spec/job.ts";
import type { InferenceResult } from "../spec/result.ts";
import { writeSource } from "./data/sources.ts";
import type { Session } from "./devices/device.ts";
import { storeParameter } from "./formats/store.ts";

const warm = 4;
const most = 48;

/** Undefined when nothing generates. Leaves merged weights in the base's place: what comes after is another model. */
export const measureSubject = async (
  job: Job,
  subject: string,
  session: Session,
  merged: (tensor: MergedTensor) => Promise<Float32Array>,
): Promise<InferenceResult | undefined> => {
  const blockOf = (name: string): Evaluate | undefined => job.evaluate.find((one) => one.subject === name && one.generator !== undefined);
  const own = blockOf(subject);
  if (!own) return undefined;
  const times = await timesOf(job, own, session);
  const merge = job.merge.find(({ adapter }) => adapter === subject);
  const base = blockOf(job.base.name);
  if (!merge || !base) return { subject, secondsPerToken: median(times), tokens: times.length };
  // Each is computed from the base's weights before any of them changes.
  const values: Float32Array[] = [];
  for (const tensor of merge.tensors) values.push(await merged(tensor));
  for (const [i, { tensor }] of merge.tensors.entries()) {
    const parameter = job.parameters.find(({ source }) => "tensor" in source && source.tensor === tensor);
    if (parameter) await storeParameter(job, parameter, values[i]!, session);
  }
  return {
    subject,
    secondsPerToken: median(times),
    mergedSecondsPerToken: median(await timesOf(job, base, session)),
    tokens: times.length,
  };
};

/** Seconds of each counted step. The ids are of no matter: every step does the same work. */
const timesOf = async (job: Job, evaluate: Evaluate, session: Session): Promise<readonly number[]> => {
  const program = evaluate.generator!;
  const { s } = job.programs[program]!.dims;
  const length = Math.min(8, s!);
  const write = async (name: string, values: readonly number[]): Promise<void> => session.write(name, Int32Array.from(values));
  const read = evaluate.source === undefined ? {} : { u: length };
  if (evaluate.source !== undefined) await writeSource(session, [new Array<number>(length).fill(1)], length);
  await write("ids", new Array<number>(length).fill(1));
  await write(
    "positions",
    Array.from({ length }, (_, i) => i),
  );
  await write("rows", [length - 1]);
  await session.run(program, { b: 1, t: length, n: 1, s: s!, ...read });
  await write("rows", [0]);
  const times: number[] = [];
  for (let position = length; position < Math.min(s!, length + warm + most); position++) {
    const start = performance.now();
    await write("ids", [1]);
    await write("positions", [position]);
    await session.run(program, { b: 1, t: 1, n: 1, s: s!, ...read });
    await session.read("logits", program);
    times.push((performance.now() - start) / 1000);
  }
  return times.slice(Math.min(warm, times.length - 1));
};

const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[times.length >> 1] ?? 0;
