// What a training tells -> files that grow while it runs, as its `logs` says: `logs/ADAPTER.jsonl`, one object a line,
// `logs/ADAPTER/events.out.tfevents.…` for TensorBoard, and a run on an MLflow server. A run that goes on appends to the one and opens a new one of the other.

import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Listener } from "../../runtime/events.ts";
import type { Job } from "../../spec/job.ts";
import { openMlflow } from "./mlflow.ts";
import { openingEvent, scalarEvent } from "./tensorboard.ts";

export interface Logging {
  readonly listen: Listener;
  /** Sends what is left, once nothing more is told. */
  readonly close: (outcome: "FINISHED" | "KILLED" | "FAILED") => Promise<void>;
}

/** The listener, with logs before it. `out` is the run's folder, `env` says where servers are. */
export const loggingTo = (
  job: Job,
  out: string,
  listen: Listener,
  env: Readonly<Record<string, string | undefined>>,
  trains: boolean,
): Logging => {
  const wanted = new Map(trains ? job.train.flatMap(({ adapter, logs }) => (logs?.length ? [[adapter, logs] as const] : [])) : []);
  if (!wanted.size) return { listen, close: () => Promise.resolve() };
  const server = [...wanted.values()].some((kinds) => kinds.includes("mlflow"))
    ? openMlflow({
        server: env.MLFLOW_TRACKING_URI,
        experiment: env.MLFLOW_EXPERIMENT_NAME ?? job.name,
        token: env.MLFLOW_TRACKING_TOKEN,
        warn: (diagnostic) => listen({ kind: "warning", diagnostic }),
      })
    : undefined;
  const now = (): number => Date.now() / 1000;
  const files = new Map<string, string>();
  const put = (adapter: string, step: number, values: Readonly<Record<string, number>>): void => {
    const kinds = wanted.get(adapter) ?? [];
    if (kinds.includes("mlflow")) server?.put(adapter, step, now(), values);
    if (!kinds.some((kind) => kind !== "mlflow")) return;
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
  const hear: Listener = (event) => {
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
  return { listen: hear, close: (outcome) => server?.close(outcome) ?? Promise.resolve() };
};
