// A job with a memory budget, on the cpu under Linux -> the same command once more, in a process that cannot take more memory than the
// plan says. Two things are settled when a process starts and at no other time: a limit of its data (RLIMIT_DATA), and that the C library
// gives memory back as soon as it is free. By itself glibc raises the size from which it does so with every larger block it frees,
// up to 32 MiB, and what lies below stays resident; a budget would then be kept by the values alone.
//
// A limit counts what was asked for, not what was written to: stacks of threads and the heap that JavaScript reserved are in it.

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import type { Job } from "../spec/job.ts";

const variable = "PEFT_HELD_TO";
const mib = 2 ** 20;

/** Data of a process without a job: Node, the engine, the compiler. */
const processBytes = 256 * mib;
/** Blocks from this size on are pages of their own, and so is what lies free at the heap's end; musl and others do not read these. */
const returning = { MALLOC_MMAP_THRESHOLD_: "131072", MALLOC_TRIM_THRESHOLD_: "131072", MALLOC_TOP_PAD_: "0" };
/** Of one thread, as glibc makes them. */
const stackBytes = 8 * mib;
/** Node in one lane's thread; it also asks for the memory of a whole batch, though it writes to that of its share alone. */
const laneBytes = 64 * mib;

/** The most data that a process may have which runs the job: what is planned, and beside it what does not grow with the job. */
export const dataLimit = (job: Job, threads = availableParallelism()): number => {
  const engines = Object.values(job.segments).reduce((sum, { parts }) => sum + parts.filter((part) => "onnx" in part).length, 0);
  const lanes = Math.min(job.lanes ?? 1, threads);
  const planned = job.plan.cpu ?? 0;
  return lanes * planned + processBytes + stackBytes * threads * engines + (lanes - 1) * laneBytes;
};

/** What this process was held to, in bytes. */
export const heldTo = (environment: NodeJS.ProcessEnv = process.env): number | undefined =>
  environment[variable] === undefined ? undefined : Number(environment[variable]);

/** Whether the job declares a budget that a process of its own can be held to. */
export const canHold = (job: Job): boolean =>
  process.platform === "linux" && heldTo() === undefined && job.train.some(({ budget }) => budget !== undefined);

/** Why no process is held to a budget that the job declares; undefined where one is, or none is declared. */
export const whyUnheld = (
  job: Job,
  { onCpu, points }: { readonly onCpu: boolean; readonly points: boolean },
  platform: NodeJS.Platform = process.platform,
): { readonly adapter: string; readonly why: string } | undefined => {
  const promised = job.train.find(({ budget }) => budget !== undefined);
  if (!promised || heldTo() !== undefined) return undefined;
  const why = !onCpu
    ? "its values are planned to fit, and on webgpu nothing limits the device's memory from outside"
    : platform !== "linux"
      ? "its values are planned to fit, and only Linux can limit a process to it"
      : points
        ? "its values are planned to fit, and points of the file follow in the same process, which have plans of their own"
        : undefined;
  return why === undefined ? undefined : { adapter: promised.adapter, why };
};

export interface Ended {
  readonly code: number;
  /** The signal that ended it, of those that mean it had no memory left: JavaScript's heap aborts, a container kills. */
  readonly starved?: string;
}

/** Runs the command held to the limit. Ctrl-C reaches it by itself; SIGTERM is passed on. */
export const runHeld = (command: readonly string[], limit: number): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const kib = String(Math.ceil(limit / 1024));
    const child = spawn("/bin/sh", ["-c", 'ulimit -d "$0" && exec "$@"', kib, ...command], {
      stdio: "inherit",
      env: { ...process.env, [variable]: String(limit), ...returning },
    });
    const wait = (): void => {};
    const pass = (): void => void child.kill("SIGTERM");
    process.on("SIGINT", wait);
    process.on("SIGTERM", pass);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      process.off("SIGINT", wait);
      process.off("SIGTERM", pass);
      const starved = signal === "SIGABRT" || signal === "SIGTRAP" || signal === "SIGKILL" ? signal : undefined;
      resolve({ code: code ?? 1, ...(starved !== undefined && { starved }) });
    });
  });

/** Whether an error says that memory was asked for and not given: by the engine, by JavaScript, or for a thread's stack. */
export const isStarved = (error: unknown): boolean =>
  error instanceof Error &&
  /bad_alloc|out of memory|array buffer allocation failed|failed to allocate memory|could not allocate memory|Cannot allocate memory|ENOMEM|pthread_create/i.test(
    error.message,
  );
