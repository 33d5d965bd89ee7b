// A pipeline compiled with its lock file: what is not on this machine comes from the lock, what is there and differs is said.

import { placed } from "../compiler/blocks/places.ts";
import { requireRows } from "../compiler/check/require.ts";
import { type Compiled, type CompileOptions, compile } from "../compiler/compile.ts";
import type { CompileHost } from "../compiler/host.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import { driftOf, lockedHost, readLock, rowsFrom, templateDrift } from "./lock.ts";

export const compileLocked = async (options: CompileOptions, host: CompileHost, cwd: string): Promise<Compiled> => {
  const lock = readLock(options.file, cwd);
  if ("code" in lock) {
    const compiled = await compile(options, host);
    return { ...compiled, diagnostics: [lock, ...compiled.diagnostics] };
  }
  const drift: Diagnostic[] = [];
  let compiled = await compile(options, lockedHost(host, lock, options.file, drift));
  const { checked } = compiled;
  if (checked) drift.push(...templateDrift(lock, checked, host, options.file));
  if (checked && !options.rows) {
    const asked = requireRows(checked.requires, checked.trains);
    const { rows, changed } = rowsFrom(lock, checked, host.sha256);
    if ([...rows.keys()].some((block) => asked.has(block)))
      compiled = await compile({ ...options, rows }, lockedHost(host, lock, options.file, []));
    for (const block of changed)
      if (asked.has(block)) drift.push(driftOf(`what the token counts of \`${block}\` follow from`, options.file, { block }));
  }
  return { ...compiled, diagnostics: [...drift.map((one) => (checked ? placed(one, checked.source) : one)), ...compiled.diagnostics] };
};
