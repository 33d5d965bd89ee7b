// The other end of apart.ts: an order comes over the channel, the job runs, its events and its result go back.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DiagnosticError } from "../runtime/diagnostic-error.ts";
import type { RunEvent } from "../runtime/events.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import type { Job } from "../spec/job.ts";
import type { Result } from "../spec/result.ts";
import { type Performance, perform, type Verb } from "./execute.ts";

export interface Order extends Omit<Performance, "job" | "read" | "verbs"> {
  readonly bundle: string;
  readonly verbs: readonly Verb[];
}

export type Reply =
  | { readonly kind: "event"; readonly event: RunEvent }
  | { readonly kind: "result"; readonly result: Result }
  | { readonly kind: "diagnostics"; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: "fault"; readonly message: string };

/** Waits for an order and carries it out; then the process may end. */
export const serve = (): void => {
  const stopping = new AbortController();
  const tell = (reply: Reply): void => void process.send?.(reply);
  // Ctrl-C reaches both processes; what it means is said over the channel. Without the other end nobody waits any more.
  process.on("SIGINT", () => {});
  // That reaches this process alone where it is sent to it, and means the same there.
  process.on("SIGTERM", () => stopping.abort());
  process.on("disconnect", () => process.exit(1));
  const carryOut = async ({ bundle, verbs, ...order }: Order): Promise<Reply> => {
    try {
      const job = JSON.parse(await readFile(join(bundle, "job.json"), "utf8")) as Job;
      const read = (path: string): Promise<Uint8Array> => readFile(join(bundle, path));
      const listen = (event: RunEvent): void => tell({ kind: "event", event });
      return { kind: "result", result: await perform({ ...order, job, read, verbs: new Set(verbs) }, listen, stopping.signal) };
    } catch (error) {
      if (error instanceof DiagnosticError) return { kind: "diagnostics", diagnostics: error.diagnostics };
      return { kind: "fault", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  };
  process.on("message", async (message: Order | "stop") => {
    if (message === "stop") return stopping.abort();
    process.send?.(await carryOut(message), () => process.exit(0));
  });
};
