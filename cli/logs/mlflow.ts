// A training to an MLflow server, by its REST interface (2.0): an experiment by name, a run per adapter, numbers in batches while it trains. The
// server and the experiment are named as MLflow names them, in MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME. Training never waits for it and never
// fails with it: what cannot be sent is told once, and nothing more is sent.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";

export interface MlflowOptions {
  readonly server: string | undefined;
  readonly experiment: string;
  /** MLFLOW_TRACKING_TOKEN, where there is one. */
  readonly token?: string | undefined;
  readonly warn: (diagnostic: Diagnostic) => void;
  /** Milliseconds that one answer may take. */
  readonly patience?: number;
}

export interface Mlflow {
  readonly put: (run: string, step: number, time: number, values: Readonly<Record<string, number>>) => void;
  /** Sends what is left and ends every run. */
  readonly close: (outcome: "FINISHED" | "KILLED" | "FAILED") => Promise<void>;
}

interface Metric {
  readonly key: string;
  readonly value: number;
  /** Milliseconds. */
  readonly timestamp: number;
  readonly step: number;
}

/** What MLflow takes at once. */
const most = 1000;

export const openMlflow = ({ server, experiment, token, warn, patience = 10_000 }: MlflowOptions): Mlflow => {
  const waiting = new Map<string, Metric[]>();
  const runs = new Map<string, string>();
  let place: string | undefined;
  let dead = false;
  let sending: Promise<void> | undefined;

  const ask = async (method: "GET" | "POST", path: string, body: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> => {
    const query = method === "GET" ? `?${new URLSearchParams(body as Record<string, string>)}` : "";
    const once = (): Promise<Response> =>
      fetch(`${server!.replace(/\/+$/, "")}/api/2.0/mlflow/${path}${query}`, {
        method,
        headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
        ...(method === "POST" && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(patience),
      });
    // A connection that was kept open may have been closed at the other end meanwhile, which says nothing of the server. MLflow keeps a number
    // that it gets twice once.
    const answer = await once().catch((error: unknown) => (error instanceof TypeError ? once() : Promise.reject(error)));
    const text = await answer.text();
    if (!answer.ok) throw new Refused(answer.status, text);
    return JSON.parse(text || "{}") as Record<string, unknown>;
  };

  const experimentId = async (): Promise<string> => {
    try {
      const { experiment: found } = await ask("GET", "experiments/get-by-name", { experiment_name: experiment });
      return (found as { experiment_id: string }).experiment_id;
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404) throw error;
      return (await ask("POST", "experiments/create", { name: experiment })).experiment_id as string;
    }
  };

  const runId = async (name: string): Promise<string> => {
    const known = runs.get(name);
    if (known !== undefined) return known;
    place ??= await experimentId();
    const { run } = await ask("POST", "runs/create", { experiment_id: place, run_name: name, start_time: Date.now() });
    const id = (run as { info: { run_id: string } }).info.run_id;
    runs.set(name, id);
    return id;
  };

  const give = async (work: () => Promise<void>): Promise<void> => {
    if (dead) return;
    try {
      await work();
    } catch (error) {
      dead = true;
      waiting.clear();
      warn(diagnostics.tracking_failed(undefined, { server: server!, problem: reasonOf(error) }, { help: failedHelp }));
    }
  };

  const send = (): Promise<void> =>
    give(async () => {
      for (
        let next = [...waiting].find(([, metrics]) => metrics.length > 0);
        next;
        next = [...waiting].find(([, list]) => list.length > 0)
      ) {
        const [name, metrics] = next;
        const id = await runId(name);
        await ask("POST", "runs/log-batch", { run_id: id, metrics: metrics.splice(0, most) });
      }
    });

  if (!server) {
    dead = true;
    warn(
      diagnostics.tracking_failed(
        undefined,
        { server: "MLflow", problem: "MLFLOW_TRACKING_URI does not say where it is" },
        { help: "set it, like `MLFLOW_TRACKING_URI=http://localhost:5000`, or take `mlflow` out of `logs`" },
      ),
    );
  }
  return {
    put: (run, step, time, values) => {
      if (dead) return;
      const list = waiting.get(run) ?? [];
      waiting.set(run, list);
      for (const [key, value] of Object.entries(values)) list.push({ key, value, timestamp: Math.round(1000 * time), step });
      // One request at a time: what comes meanwhile goes with the next.
      sending ??= send().finally(() => {
        sending = undefined;
      });
    },
    close: async (status) => {
      await sending;
      await send();
      for (const id of runs.values())
        await give(async () => void (await ask("POST", "runs/update", { run_id: id, status, end_time: Date.now() })));
    },
  };
};

const failedHelp = "the training goes on, and everything is in its own folder; `logs: [jsonl]` writes the same numbers there";

class Refused extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(`it answered ${status}${text ? `: ${text.slice(0, 200).split("\n")[0]}` : ""}`);
    this.status = status;
  }
}

/** fetch hides why it failed one level down. */
const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
};
