// `peft plan FILE --lock`: writes FILE.lock from a compiled pipeline, its folder and its rows.

import { resolve } from "node:path";
import { columnsOf } from "../runtime/data/peek.ts";
import { nodeHost } from "../runtime/node-host.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import type { Lock, LockedRows, LockedSplit } from "../spec/lock.ts";
import { compileHost, seenFrom } from "./compile-host.ts";
import { isHubPlace, readPlace } from "./hub/place.ts";
import { blockKeys, lockOf, tokenizerFiles } from "./lock.ts";
import { foldTensors } from "./lock-tensors.ts";
import type { Prepared } from "./prepare.ts";
import type { Survey } from "./survey.ts";
import { lockProblem } from "./validate-lock.ts";
import { writeWhole } from "./write.ts";

/** What went wrong, if anything. */
export const writeLock = async (prepared: Prepared, survey: Survey, cwd: string): Promise<Diagnostic | undefined> => {
  const lock = await makeLock(prepared, survey, cwd);
  const problem = lockProblem(lock);
  if (problem !== undefined) throw new Error(`the lock file does not keep to its schema: ${problem}`);
  const { file } = prepared.source;
  return writeWhole(resolve(cwd, lockOf(file)), `${JSON.stringify(lock, undefined, 2)}\n`, lockOf(file));
};

const makeLock = async ({ source, checked }: Prepared, survey: Survey, cwd: string): Promise<Lock> => {
  if (!checked) throw new Error("a lock needs a checked pipeline");
  const host = compileHost(new Map(), cwd);
  const { place, path, configHash, headerHash } = checked.base;
  const copy = isHubPlace(path) ? readPlace(path) : undefined;
  const folder = host.resolve(source.file, path).replace(/\/$/, "");
  const header = headerHash === undefined ? undefined : await host.headers(folder);
  const tokenizer = host.read(`${folder}/tokenizer.json`);
  const data: Record<string, LockedSplit> = {};
  for (const block of checked.data.values())
    for (const split of block.splits) {
      const file = host.resolve(source.file, split.path);
      const sample = await host.sample!(file);
      if (sample)
        data[`${block.name}.${split.name}`] = {
          path: split.path,
          ...sample,
          columns: await columnsOf(seenFrom(nodeHost, cwd), file, split),
        };
    }
  const digests = (names: readonly string[], pathOf: (name: string) => string): Record<string, string> =>
    Object.fromEntries(
      names.flatMap((name) => {
        const text = host.read(pathOf(name));
        return text === undefined ? [] : [[name, host.sha256(text)]];
      }),
    );
  const named = [...checked.data.values()].flatMap(({ chat }) => chat?.template ?? []);
  const rows: Record<string, LockedRows> = {};
  for (const [block, of] of blockKeys(checked, host.sha256)) {
    const counted = survey.rows.get(block);
    if (counted) rows[block] = { of, ...counted };
  }
  return {
    format: "peft-lock/1",
    base: {
      path: place,
      ...(typeof copy === "object" && { revision: copy.revision }),
      config: host.read(`${folder}/config.json`)!.split("\n"),
      config_sha256: configHash(),
      ...(headerHash !== undefined && { header_sha256: headerHash() }),
      ...(header && "tensors" in header && { tensors: foldTensors(header.tensors) }),
      ...(tokenizer !== undefined && { tokenizer_sha256: host.sha256(tokenizer) }),
      ...(tokenizer !== undefined && { tokenizer_files: digests(tokenizerFiles, (name) => `${folder}/${name}`) }),
    },
    data,
    rows,
    ...(named.length > 0 && { templates: digests([...new Set(named)], (name) => host.resolve(source.file, name)) }),
  };
};
