// A pipeline compiled with its data at hand: compiled to the plan, its rows tokenized, and compiled again where a budget asks for them.

import { requireRows } from "../compiler/check/require.ts";
import type { CompileOptions } from "../compiler/compile.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import type { Invocation } from "./command.ts";
import { type CompiledFile, compileFile } from "./compile-file.ts";
import type { Source } from "./sources.ts";
import { surveyData } from "./survey.ts";

/** `found` is what is wrong with the data. A file with errors of its own is not read further. */
export const compileWithData = async (
  source: Source,
  call: Invocation,
  goal: Exclude<CompileOptions["goal"], "check"> = "plan",
): Promise<{ readonly compiled: CompiledFile; readonly found: readonly Diagnostic[] }> => {
  // `check` says which files are not there; the plan needs none of them.
  const first = goal === "plan" ? await compileFile(source, call, "check") : undefined;
  if (first?.diagnostics.some(({ severity }) => severity === "error")) return { compiled: first, found: [] };
  const compiled = await compileFile(source, call, goal);
  if (!compiled.job || !compiled.checked) return { compiled, found: [] };
  const { rows, found } = await surveyData({ ...compiled, source }, call.io.cwd);
  const asked = requireRows(compiled.checked.requires, compiled.checked.trains);
  return { compiled: asked.size > 0 ? await compileFile(source, call, goal, { rows }) : compiled, found };
};
