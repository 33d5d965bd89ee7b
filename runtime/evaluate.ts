// Loss over a whole split: the sum of answer tokens' losses divided by their number, so that batch sizes do not matter.

import type { Evaluate } from "../spec/job.ts";
import { fillBatch, planEpoch } from "./data/batches.ts";
import type { Examples } from "./data/examples.ts";
import type { Session } from "./devices/device.ts";
import type { Listener } from "./events.ts";

export const evaluateSplit = async (
  evaluate: Evaluate,
  examples: Examples,
  session: Session,
  listen: Listener,
): Promise<Record<string, number>> => {
  const plan = planEpoch(examples, { size: evaluate.micro_batch_size, order: "length", seed: 0, epoch: 0 });
  let sum = 0;
  let labels = 0;
  await session.write("scale", Float32Array.of(1));
  for (const [i, planned] of plan.entries()) {
    if (planned.labels > 0) {
      const filled = fillBatch(examples, planned, evaluate.sequence_len);
      await session.write("ids", filled.ids);
      await session.write("positions", filled.positions);
      await session.write("rows", filled.rows);
      await session.write("targets", filled.targets);
      await session.run(evaluate.program, { b: filled.b, t: filled.t, n: filled.n });
      sum += ((await session.read("loss", evaluate.program)) as Float32Array)[0]!;
      labels += filled.n;
    }
    listen({
      kind: "progress",
      title: `evaluate ${evaluate.subject} on ${evaluate.data}.${evaluate.split}`,
      done: i + 1,
      total: plan.length,
    });
  }
  const loss = sum / labels;
  const all: Readonly<Record<string, number>> = { loss, perplexity: Math.exp(loss) };
  return Object.fromEntries(evaluate.metrics.map((metric) => [metric, all[metric]!]));
};
