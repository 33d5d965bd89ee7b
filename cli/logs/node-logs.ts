// What a training tells -> files that grow while it runs, as its `logs` says: `logs/ADAPTER.jsonl`, one object a line, and
// `logs/ADAPTER/events.out.tfevents.…` for TensorBoard. A run that goes on appends to the one and opens a new one of the other.

import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Listener } from "../../runtime/events.ts";
import type { Job } from "../../spec/job.ts";
import { openingEvent, scalarEvent } from "./tensorboard.ts";

/** The listener, with logs before it. `out` is the run's folder. */
export const loggingTo = (job: Job, out: string, listen: Listener): Listener => {
  const wanted = new Map(job.train.flatMap(({ adapter, logs }) => (logs?.length ? [[adapter, logs] as const] : [])));
  if (!wanted.size) return listen;
  const now = (): number => Date.now() / 1000;
  const files = new Map<string, string>();
  const put = (adapter: string, step: number, values: Readonly<Record<string, number>>): void => {
    const kinds = wanted.get(adapter) ?? [];
    mkdirSync(join(out, "logs"), { recursive: true });
    if (kinds.includes("jsonl"))
      appendFileSync(join(out, "logs", `${adapter}.jsonl`), `${JSON.stringify({ step, time: now(), ...values })}\n`);
    if (!kinds.includes("tensorboard")) return;
    let file = files.get(adapter);
    if (!file) {
      const folder = join(out, "logs", adapter);
      mkdirSync(folder, { recursive: true });
      file = join(folder, `events.out.tfevents.${Math.floor(now())}.peft`);
      files.set(adapter, file);
      appendFileSync(file, openingEvent(now()));
    }
    appendFileSync(file, scalarEvent(now(), step, values));
  };
  return (event) => {
    if (event.kind === "step" && wanted.has(event.adapter)) {
      const { adapter, step, loss, added, norm, rate, tokensPerSecond } = event;
      const every = job.train.find((train) => train.adapter === adapter)!.log.every;
      if (step % every === 0 || step === event.total)
        put(adapter, step, {
          "train/loss": loss,
          ...(added !== undefined && { "train/added": added }),
          "train/norm": norm,
          "train/rate": rate,
          "train/tokens_per_second": tokensPerSecond,
        });
    }
    const evaluated = event.kind === "metrics" ? /^(.+) at step (\d+)$/.exec(event.subject) : null;
    if (event.kind === "metrics" && evaluated && wanted.has(evaluated[1]!))
      put(
        evaluated[1]!,
        Number(evaluated[2]),
        Object.fromEntries(Object.entries(event.metrics).map(([name, value]) => [`eval/${name}`, value])),
      );
    listen(event);
  };
};
