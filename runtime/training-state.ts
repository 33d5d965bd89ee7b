// Checkpoints of a training: everything it goes on from, so that a run that was killed continues with the same bits.
//
//   FOLDER/checkpoint-000200/state.safetensors    the named arrays (trained parameters, optimizer state)
//   FOLDER/checkpoint-000200/state.json           step, place in the data, seed, and what job it belongs to
//
// A checkpoint is written under checkpoint-000200.partial and renamed once all of it is on the disk: a name without `.partial` is
// whole. What is not whole is passed over, and said.

import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { DType } from "../spec/job.ts";
import { DiagnosticError } from "./diagnostic-error.ts";
import { bitsOf, toStored } from "./dtype.ts";
import { summed } from "./headers.ts";
import { type Host, joinPath, writeWhole } from "./host.ts";
import { isRecord, parseJson } from "./json.ts";
import { type Header, readHeader, writeSafetensors } from "./safetensors.ts";

/** What a training goes on from, beside its arrays. */
export interface StatePosition {
  /** Optimizer steps done. */
  readonly step: number;
  readonly epoch: number;
  /** Batches of this epoch that are done. */
  readonly batch: number;
}

/** What must be equal for going on to be the same run. */
export interface StateIdentity {
  readonly seed: number;
  /** Names the job: a hash of what decides the run. */
  readonly job: string;
}

export interface StateArray {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

interface SavedState {
  readonly folder: string;
  readonly position: StatePosition;
  readonly identity: StateIdentity;
  readonly header: Header;
}

const arraysFile = "state.safetensors";
const positionFile = "state.json";
const nameOfStep = (step: number): string => `checkpoint-${String(step).padStart(6, "0")}`;
const finished = /^checkpoint-(\d{6,})$/;

/**
 * Writes a checkpoint into `folder` and removes all but the newest `keep`. `read` fills bytes of an array from a place on, a part at a time.
 * Returns the checkpoint's folder and the bytes of its arrays. Throws a DiagnosticError; what was there before stays whole.
 */
export const saveState = async (
  host: Host,
  folder: string,
  position: StatePosition,
  identity: StateIdentity,
  arrays: readonly StateArray[],
  read: (name: string, from: number, into: Uint8Array) => Promise<void> | void,
  keep: number,
): Promise<{ folder: string; bytes: number }> => {
  const target = joinPath(folder, nameOfStep(position.step));
  const partial = `${target}.partial`;
  await host.remove(partial);
  await host.makeFolder(partial);
  let bytes: number;
  try {
    const plans = arrays.map(({ name, dtype, shape }) => ({ name, dtype: toStored(dtype), shape }));
    bytes = await writeSafetensors(host, joinPath(partial, arraysFile), plans, ({ name, dtype, shape }) =>
      inParts((bitsOf(dtype) / 8) * shape.reduce((a, b) => a * b, 1), (from, into) => read(name, from, into)),
    );
    await writeWhole(
      host,
      joinPath(partial, positionFile),
      `${JSON.stringify({ format: "peft-state/1", ...position, ...identity, bytes }, null, 2)}\n`,
    );
    await host.remove(target); // of an earlier run that was resumed from an older checkpoint
    await host.rename(partial, target);
  } catch (error) {
    await host.remove(partial).catch(() => {});
    throw error;
  }
  const names = (await host.list(folder)).flatMap(({ name }) => (finished.test(name) ? [name] : []));
  const older = names.filter((name) => Number(finished.exec(name)![1]) < position.step).sort((a, b) => stepOf(b) - stepOf(a));
  for (const name of older.slice(Math.max(0, keep - 1))) await host.remove(joinPath(folder, name));
  return { folder: target, bytes };
};

const stepOf = (name: string): number => Number(finished.exec(name)![1]);

/**
 * Restores the newest whole checkpoint of `folder`: `write` gets every array's bytes as they were saved, a part at a time. Undefined when
 * there is none.
 * `warnings` names what was passed over. Throws a DiagnosticError when the newest whole one belongs to another run.
 */
export const restoreState = async (
  host: Host,
  folder: string,
  identity: StateIdentity,
  arrays: readonly StateArray[],
  write: (name: string, from: number, bytes: Uint8Array) => Promise<void> | void,
): Promise<{ restored: { folder: string; position: StatePosition } | undefined; warnings: readonly Diagnostic[] }> => {
  const { newest, warnings } = await findState(host, folder);
  if (!newest) return { restored: undefined, warnings };
  const problems = disagreements(newest, identity, arrays);
  if (problems.length > 0)
    throw new DiagnosticError([
      diagnostics.state_mismatch(
        undefined,
        { folder: newest.folder, problem: problems[0]! },
        { notes: summed(problems.slice(1)), help: "remove the folder to start anew" },
      ),
    ]);
  const file = await host.open(newest.header.path);
  try {
    const piece = new Uint8Array(partBytes);
    for (const { name, start, bytes } of newest.header.tensors)
      for (let from = 0; from < bytes; from += partBytes) {
        const part = piece.subarray(0, Math.min(partBytes, bytes - from));
        await file.read(start + from, part);
        await write(name, from, part);
      }
  } finally {
    await file.close();
  }
  return { restored: { folder: newest.folder, position: newest.position }, warnings };
};

/** State may be larger than what is free: it goes through memory in parts of this size. */
const partBytes = 1 << 20;

const inParts = async function* (
  bytes: number,
  read: (from: number, into: Uint8Array) => Promise<void> | void,
): AsyncGenerator<Uint8Array> {
  const piece = new Uint8Array(Math.min(partBytes, bytes));
  for (let from = 0; from < bytes; from += partBytes) {
    const part = piece.subarray(0, Math.min(partBytes, bytes - from));
    await read(from, part);
    yield part;
  }
};

/** The newest whole checkpoint of a folder, and a warning for each newer one that is not whole. */
const findState = async (host: Host, folder: string): Promise<{ newest: SavedState | undefined; warnings: Diagnostic[] }> => {
  const warnings: Diagnostic[] = [];
  if ((await host.kind(folder)) !== "folder") return { newest: undefined, warnings };
  const pass = (name: string, problem: string) =>
    warnings.push(diagnostics.state_incomplete(undefined, { folder: joinPath(folder, name), problem }, { help: "it can be removed" }));
  const names = (await host.list(folder)).filter(({ kind }) => kind === "folder").map(({ name }) => name);
  for (const name of names) if (/^checkpoint-\d+\.partial$/.test(name)) pass(name, "it was not written to its end");
  for (const name of names.filter((name) => finished.test(name)).sort((a, b) => stepOf(b) - stepOf(a))) {
    const state = await openState(host, joinPath(folder, name));
    if (typeof state !== "string") return { newest: state, warnings };
    pass(name, state);
  }
  return { newest: undefined, warnings };
};

/** A checkpoint, or why it is not whole. */
const openState = async (host: Host, folder: string): Promise<SavedState | string> => {
  const path = joinPath(folder, arraysFile);
  for (const file of [positionFile, arraysFile]) if ((await host.kind(joinPath(folder, file))) !== "file") return `it has no ${file}`;
  const parsed = parseJson(await host.read(joinPath(folder, positionFile)));
  const saved = "value" in parsed && isRecord(parsed.value) ? parsed.value : undefined;
  const whole = (value: unknown): value is number => Number.isSafeInteger(value);
  if (saved?.format !== "peft-state/1") return `its ${positionFile} is damaged`;
  const { step, epoch, batch, seed, job, bytes } = saved;
  if (!whole(step) || !whole(epoch) || !whole(batch) || !whole(seed) || typeof job !== "string") return `its ${positionFile} is damaged`;
  const file = await host.open(path);
  try {
    if (file.size !== bytes) return `its ${arraysFile} is ${file.size} bytes of ${String(bytes)}`;
    const header = await readHeader(file, path);
    return { folder, position: { step, epoch, batch }, identity: { seed, job }, header };
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics[0]!.message;
    throw error;
  } finally {
    await file.close();
  }
};

const disagreements = (state: SavedState, identity: StateIdentity, arrays: readonly StateArray[]): string[] => {
  const lines: string[] = [];
  if (state.identity.seed !== identity.seed) lines.push(`its seed is ${state.identity.seed}, the job's is ${identity.seed}`);
  const found = new Map(state.header.tensors.map((tensor) => [tensor.name, tensor]));
  for (const { name, dtype, shape } of arrays) {
    const tensor = found.get(name);
    const wanted = `${toStored(dtype)} [${shape.join(", ")}]`;
    if (!tensor) lines.push(`${name}: expected ${wanted}, it is not there`);
    else if (`${tensor.dtype} [${tensor.shape.join(", ")}]` !== wanted)
      lines.push(`${name}: expected ${wanted}, found ${tensor.dtype} [${tensor.shape.join(", ")}]`);
    found.delete(name);
  }
  for (const name of found.keys()) lines.push(`${name} is not part of this training`);
  // Last: an array that differs says more than a hash.
  if (lines.length === 0 && state.identity.job !== identity.job) lines.push("the pipeline or its base has changed since");
  return lines;
};
