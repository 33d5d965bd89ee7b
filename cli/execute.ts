// Runs a job and shows it: events become a bar and lines on standard error, the result a table (or JSON) on standard output,
// Ctrl-C a saved state. `peft run` and a bundle's job.js both come here; nothing here knows the compiler.

import { relative, resolve } from "node:path";
import { chooseDevice, type Wanted } from "../runtime/choose-device.ts";
import { DiagnosticError } from "../runtime/diagnostic-error.ts";
import type { Listener } from "../runtime/events.ts";
import { nodeHost } from "../runtime/node-host.ts";
import { runJob } from "../runtime/run.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Job } from "../spec/job.ts";
import type { HeldScore, Result } from "../spec/result.ts";
import type { ExitCode } from "./command.ts";
import { canHold, dataLimit, heldTo, isStarved, runHeld, whyUnheld } from "./held.ts";
import { baseName, withHub } from "./hub/base.ts";
import { bringBase } from "./hub/bring.ts";
import { interruptible } from "./interrupt.ts";
import type { Io } from "./io.ts";
import { loggingTo } from "./logs/node-logs.ts";
import { peakMemory } from "./peak-memory.ts";
import { type Located, listenOn } from "./render/events.ts";
import { renderResult } from "./render/result.ts";
import { resultProblem } from "./validate.ts";
import { version } from "./version.ts";
import { makeFolder, writeWhole } from "./write.ts";

export type Verb = "train" | "evaluate" | "merge";

export interface Performance {
  readonly job: Job;
  /** Gets the files of the bundle by their path in it. */
  readonly read: (path: string) => Promise<Uint8Array>;
  /** Folder that relative paths of the job start from. */
  readonly folder: string;
  /** As a person wrote it. */
  readonly output: string;
  readonly device: Wanted;
  readonly verbs: ReadonlySet<Verb>;
  readonly inputs: Readonly<Record<string, string>>;
  /** Evaluates this subject alone, and also measures what a token costs with it and with it merged. */
  readonly measure?: string;
  readonly cwd: string;
}

export interface Execution extends Performance {
  /** Whether points of the same file are run afterwards. */
  readonly points?: boolean;
  readonly json: boolean;
  /** Files that tell what ran, by name, put into the output folder first. */
  readonly keep?: Readonly<Record<string, string>>;
  readonly io: Io;
  /** Absent where the source is not at hand: a bundle. */
  readonly located?: Located;
  /** Prints diagnostics, and says what exit code they mean. */
  readonly complain: (found: readonly Diagnostic[]) => Promise<ExitCode>;
}

export const execute = async (execution: Execution): Promise<ExitCode> => {
  const { io, job, json, output, complain } = execution;
  // Before anything is trained: an hour of work that cannot be saved is the dearest mistake there is.
  const unwritable = makeFolder(resolve(io.cwd, output), output);
  if (unwritable) return complain([unwritable]);
  for (const [name, content] of Object.entries(execution.keep ?? {})) {
    const failed = writeWhole(resolve(io.cwd, output, name), content, `${output}/${name}`);
    if (failed) return complain([failed]);
  }
  if (io.again && canHold(job) && execution.verbs.has("train") && (await runsOnCpu(execution.device, job))) {
    const limit = dataLimit(job);
    const ended = await runHeld(io.again, limit);
    return ended.starved === undefined ? (ended.code as ExitCode) : complain([exhausted(`the job (${ended.starved})`, limit)]);
  }
  const shown = (path: string): string => relative(io.cwd, path) || ".";
  const { listen, say, end } = listenOn(io.err, io.now, shown, execution.located);
  if (execution.verbs.has("train") && job.train.some(({ budget }) => budget !== undefined)) {
    const unheld = whyUnheld(job, { onCpu: await runsOnCpu(execution.device, job), points: execution.points === true });
    if (unheld) listen({ kind: "warning", diagnostic: diagnostics.budget_not_held(undefined, unheld) });
  }
  const interrupt = interruptible(say);
  try {
    const result = await perform(execution, listen, interrupt.signal);
    end();
    io.out.write(json ? `${JSON.stringify(result, undefined, 2)}\n` : renderResult(result, `${output}/result.json`, io.out.colour));
    const broken = (result.require ?? []).filter(({ holds }) => !holds);
    const code = broken.length > 0 ? await complain(broken.map(brokenBound)) : 0;
    return interrupt.code() ?? code;
  } catch (error) {
    end();
    if (!(error instanceof DiagnosticError || isStarved(error))) throw error;
    const code = await complain(error instanceof DiagnosticError ? error.diagnostics : [exhausted("the job", heldTo(), error as Error)]);
    return interrupt.code() ?? (code === 0 ? 1 : code);
  } finally {
    interrupt.dispose();
  }
};

const runsOnCpu = async (device: Wanted, job: Job): Promise<boolean> =>
  device === "cpu" || (device === "auto" && (await chooseDevice(device, job)).device.name === "cpu");

const brokenBound = ({ fact, value, compare, bound, at }: HeldScore): Diagnostic =>
  diagnostics.require_failed(
    at,
    { fact, found: Number(value.toPrecision(6)), compare, bound },
    { help: "everything is saved; train longer, or change the bound" },
  );

const exhausted = (what: string, limit: number | undefined, error?: Error): Diagnostic =>
  diagnostics.memory_exhausted(
    undefined,
    {
      what,
      limit: limit === undefined ? "" : `: it may have ${(limit / 2 ** 20).toFixed(0)} MiB of data, since its file declares a budget`,
    },
    {
      ...(error && { notes: [{ message: error.message.split("\n")[0]!.slice(0, 200) }] }),
      help:
        limit === undefined
          ? "`require { memory(train NAME) <= … }` lets the planner page state and compute layers again; a smaller micro_batch_size or sequence_len needs less"
          : "a smaller micro_batch_size or sequence_len needs less; without the budget nothing limits it",
    },
  );

/** Without showing anything. Throws a DiagnosticError. */
export const perform = async (performance: Performance, listen: Listener, signal: AbortSignal): Promise<Result> => {
  const { job, read, folder, output, device, verbs, inputs, cwd } = performance;
  await bringBase(job.base, process.env, listen);
  const choice = await chooseDevice(device, job);
  const base = baseName(job.base.path);
  const logging = loggingTo(job, resolve(cwd, output), listen, process.env, verbs.has("train"));
  const result = await runJob(job, {
    host: withHub(nodeHost, process.env),
    choice,
    ...(base && { baseName: base }),
    read,
    folder: resolve(cwd, folder),
    out: resolve(cwd, output),
    verbs,
    inputs,
    ...(performance.measure !== undefined && { measure: performance.measure }),
    versions: { peft: version, node: process.version, platform: `${process.platform} ${process.arch}`, engine: choice.device.describe() },
    listen: logging.listen,
    signal,
    peakMemory,
  }).catch(async (error: unknown) => {
    await logging.close("FAILED");
    throw error;
  });
  await logging.close(result.outcome === "done" ? "FINISHED" : "KILLED");
  const problem = resultProblem(result);
  if (problem) throw new Error(`result.json does not keep to its schema: ${problem}`);
  return result;
};
