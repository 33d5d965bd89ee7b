// What inference costs: seconds per token of one row, one token at a time, over a cache that is already there. The median of many
// steps, since other programs share the machine; the first steps warm up and are not counted.

import type { Evaluate, Job } from "../spec/job.ts";
import type { InferenceResult } from "../spec/result.ts";
import type { Session } from "./devices/device.ts";

const warm = 4;
const most = 48;

/** Undefined when the block generates nothing. The ids are of no matter: every step does the same work. */
export const measureInference = async (job: Job, evaluate: Evaluate, session: Session): Promise<InferenceResult | undefined> => {
  const program = evaluate.generator;
  if (program === undefined) return undefined;
  const { s } = job.programs[program]!.dims;
  const length = Math.min(8, s!);
  const write = async (name: string, values: readonly number[]): Promise<void> => session.write(name, Int32Array.from(values));
  await write("ids", new Array<number>(length).fill(1));
  await write(
    "positions",
    Array.from({ length }, (_, i) => i),
  );
  await write("rows", [length - 1]);
  await session.run(program, { b: 1, t: length, n: 1, s: s! });
  await write("rows", [0]);
  const times: number[] = [];
  for (let position = length; position < Math.min(s!, length + warm + most); position++) {
    const start = performance.now();
    await write("ids", [1]);
    await write("positions", [position]);
    await session.run(program, { b: 1, t: 1, n: 1, s: s! });
    await session.read("logits", program);
    times.push((performance.now() - start) / 1000);
  }
  const counted = times.slice(Math.min(warm, times.length - 1)).sort((a, b) => a - b);
  return { subject: evaluate.subject, secondsPerToken: counted[counted.length >> 1] ?? 0, tokens: counted.length };
};
