// FILE.lock: written by `plan --lock` from what the plan was made of, read by every check of FILE. Reading it puts a host over the
// machine's own: what is there is compared with the lock, what is not there is taken from it.

import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { TrainPlan } from "../compiler/blocks/pipeline.ts";
import type { Checked } from "../compiler/check/check.ts";
import type { RowFacts } from "../compiler/check/fact-table.ts";
import type { CompileHost } from "../compiler/host.ts";
import { type Diagnostic, nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Data, Split } from "../spec/job-data.ts";
import type { Lock, LockedRows } from "../spec/lock.ts";
import type { RowColumns } from "../spec/row-columns.ts";
import { readPlace, writePlace } from "./hub/place.ts";
import { expandTensors } from "./lock-tensors.ts";
import { lockProblem } from "./validate-lock.ts";

export const lockOf = (file: string): string => `${file}.lock`;

export const hasLock = (file: string, cwd: string): boolean => existsSync(resolve(cwd, lockOf(file)));

export const readLock = (file: string, cwd: string): Lock | Diagnostic => {
  const lock = lockOf(file);
  const unreadable = (problem: string): Diagnostic =>
    diagnostics.lock_unreadable(undefined, { lock, problem }, { help: `write it anew: \`peft plan ${file} --lock\`` });
  try {
    const document: unknown = JSON.parse(readFileSync(resolve(cwd, lock), "utf8"));
    const problem = lockProblem(document);
    if (problem !== undefined) return unreadable(problem);
    const { base } = document as Lock;
    return base.tensors && !expandTensors(base.tensors) ? unreadable("a tensor in it has no shape") : (document as Lock);
  } catch (error) {
    return unreadable(error instanceof Error ? error.message : String(error));
  }
};

/** Beside tokenizer.json, what decides how text becomes tokens. */
export const tokenizerFiles: readonly string[] = ["tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"];

/** The host with the lock behind it. `found` gets what differs from it. */
export const lockedHost = (host: CompileHost, lock: Lock, file: string, found: Diagnostic[]): CompileHost => {
  const place = pinnedPlace(lock);
  const folder = host.resolve(file, place);
  const config = host.resolve(`${folder.replace(/\/$/, "")}/`, "config.json");
  const tokenizer = host.resolve(`${folder.replace(/\/$/, "")}/`, "tokenizer.json");
  const said = new Set<string>();
  const drift = (what: string, about: Diagnostic["about"]): void => {
    if (said.has(what)) return;
    said.add(what);
    found.push(driftOf(what, file, about));
  };
  const base = { block: "base" };
  return {
    ...host,
    // What the lock knows needs no copy; the commit is the one that it was written from.
    hub: (path, weights) =>
      path === lock.base.path && place !== path ? { exact: host.hub!(place, weights).exact ?? place } : host.hub!(path, weights),
    resolve: (from, path) => host.resolve(from, path === lock.base.path ? place : path),
    read: (path) => {
      const text = host.read(path);
      if (path !== config) return text;
      if (text === undefined) return lock.base.config.join("\n");
      if (host.sha256(text) !== lock.base.config_sha256) drift(config, base);
      const own = host.read(tokenizer);
      if (own !== undefined && lock.base.tokenizer_sha256 !== undefined && host.sha256(own) !== lock.base.tokenizer_sha256)
        drift(tokenizer, base);
      const { tokenizer_files: others } = lock.base;
      if (others)
        for (const name of tokenizerFiles) {
          const path = host.resolve(`${folder.replace(/\/$/, "")}/`, name);
          const there = host.read(path);
          if (others[name] !== (there === undefined ? undefined : host.sha256(there))) drift(path, base);
        }
      return text;
    },
    headers: async (path) => {
      const absent = path === folder && host.list(folder) === undefined;
      const { tensors, header_sha256 } = lock.base;
      if (absent && tensors && header_sha256 !== undefined) return { tensors: expandTensors(tensors)!, sha256: () => header_sha256 };
      const read = await host.headers(path);
      if (path === folder && "sha256" in read && header_sha256 !== undefined && read.sha256() !== header_sha256)
        drift(`the header of the weights in ${path}`, base);
      return read;
    },
    ...(host.rows && { rows: (path, split, columns) => lockedRows(path, split, columns, host, lock, file) }),
  };
};

/** The base as the lock has it: of a place of the hub, the commit. */
export const pinnedPlace = ({ base }: Lock): string => {
  const place = base.revision === undefined ? undefined : readPlace(base.path);
  return typeof place === "object" ? writePlace({ ...place, revision: base.revision! }) : base.path;
};

const lockedRows = async (
  path: string,
  split: Split,
  columns: RowColumns,
  host: CompileHost,
  lock: Lock,
  file: string,
): Promise<readonly Diagnostic[]> => {
  const locked = Object.entries(lock.data).find(([name, own]) => name.endsWith(`.${split.name}`) && own.path === split.path)?.[1];
  const sample = await host.sample?.(path);
  if (!locked) return host.rows!(path, split, columns);
  if (sample) {
    const same = sample.bytes === locked.bytes && sample.sample_sha256 === locked.sample_sha256;
    return [...(same ? [] : [driftOf(path, file, undefined)]), ...(await host.rows!(path, split, columns))];
  }
  return [...columns.needed, ...columns.optional]
    .filter((column) => !locked.columns.includes(column))
    .map((column) => {
      const near = nearest(column, locked.columns);
      return diagnostics.template_column(
        undefined,
        { path, column },
        {
          about: { column, ...(near !== undefined && { instead: near }) },
          label: "no such column",
          notes: [{ message: `columns, by the lock file: ${locked.columns.join(", ")}` }],
          ...(near !== undefined && { help: `did you mean \`{${near}}\`?` }),
        },
      );
    });
};

/** Chat templates that the file names and that are other ones now. */
export const templateDrift = (lock: Lock, checked: Checked, host: CompileHost, file: string): readonly Diagnostic[] =>
  [...checked.data.values()].flatMap(({ name, chat }) => {
    const locked = chat?.template === undefined ? undefined : lock.templates?.[chat.template];
    const path = host.resolve(file, chat?.template ?? "");
    const text = locked === undefined ? undefined : host.read(path);
    return text === undefined || host.sha256(text) === locked ? [] : [driftOf(path, file, { block: `data ${name}`, part: "chat" })];
  });

export const driftOf = (what: string, file: string, about: Diagnostic["about"]): Diagnostic =>
  diagnostics.lock_drift(
    undefined,
    { what, lock: lockOf(file) },
    { ...(about && { about }), help: `if the change is meant, write it anew: \`peft plan ${file} --lock\`` },
  );

/** What a block's token counts follow from. */
export const rowsKey = (
  data: Data,
  split: Split,
  { sequence_len, overlong }: Pick<TrainPlan, "sequence_len" | "overlong">,
  sha256: CompileHost["sha256"],
): string =>
  sha256(
    JSON.stringify([
      data.prompt ?? null,
      data.answer,
      data.loss_on,
      split,
      sequence_len ?? null,
      ...(overlong || data.chat ? [overlong ?? null, data.chat ?? null] : []),
    ]),
  );

/** The blocks of a file that the lock counts, as the file stands now; and those it counted under other settings. */
export const rowsFrom = (
  lock: Lock,
  checked: Checked,
  sha256: CompileHost["sha256"],
): { readonly rows: ReadonlyMap<string, RowFacts>; readonly changed: readonly string[] } => {
  const rows = new Map<string, RowFacts>();
  const changed: string[] = [];
  for (const [block, key] of blockKeys(checked, sha256)) {
    const locked: LockedRows | undefined = lock.rows[block];
    if (locked && locked.of !== key) changed.push(block);
    else if (locked) rows.set(block, locked);
  }
  return { rows, changed };
};

/** `train menu` → what its counts follow from. Of several evaluations of one subject the first counts. */
export const blockKeys = (checked: Checked, sha256: CompileHost["sha256"]): ReadonlyMap<string, string> => {
  const keys = new Map<string, string>();
  const blocks = [
    ...checked.trains.map((plan) => ({ name: `train ${plan.adapter}`, ...plan })),
    ...checked.evaluates.map((plan) => ({ name: `evaluate ${plan.subject}`, ...plan })),
  ];
  for (const { name, data, split, ...lengths } of blocks) {
    const block = checked.data.get(data);
    const own = block?.splits.find((one) => one.name === split);
    if (block && own && !keys.has(name)) keys.set(name, rowsKey(block, own, lengths, sha256));
  }
  return keys;
};
