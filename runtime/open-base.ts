// A job's base -> its checkpoint opened and its values in a device's memory. What was opened is closed again when that fails.

import type { Job } from "../spec/job.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import type { Choice } from "./choose-device.ts";
import type { Session } from "./devices/device.ts";
import { blaming } from "./diagnostic-error.ts";
import type { Listener } from "./events.ts";
import { loadBase } from "./formats/store.ts";
import type { Host } from "./host.ts";
import { streamFrom } from "./stream.ts";

export interface OpenBaseOptions {
  readonly host: Host;
  readonly choice: Choice;
  /** Gets the files of the bundle by their path in it. */
  readonly read: (path: string) => Promise<Uint8Array>;
  /** The base's, resolved. */
  readonly folder: string;
  readonly listen: Listener;
}

export interface OpenBase {
  /** Of a base that has one; another is drawn. */
  readonly checkpoint: Checkpoint | undefined;
  readonly session: Session;
  readonly close: () => Promise<void>;
}

/** Throws a DiagnosticError for whatever a person can mend. */
export const openBase = async (job: Job, { host, choice, read, folder, listen }: OpenBaseOptions): Promise<OpenBase> => {
  const checkpoint =
    job.base.weights === "checkpoint" ? await blaming({ block: `base ${job.base.name}` }, () => openCheckpoint(host, folder)) : undefined;
  let session: Session | undefined;
  const close = async (): Promise<void> => {
    try {
      await session?.close();
    } finally {
      await checkpoint?.close();
    }
  };
  try {
    session = await choice.device.open(job, read, checkpoint && streamFrom(job, checkpoint));
    listen({ kind: "phase", title: "load the base" });
    await loadBase(job, checkpoint, session);
    host.collect?.();
    return { checkpoint, session, close };
  } catch (error) {
    await close();
    throw error;
  }
};
