// What every command that works on one pipeline does first: read the file, compile it as far as needed, print what is wrong.

import { requireRows } from "../compiler/check/require.ts";
import type { Compiled, CompileOptions } from "../compiler/compile.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { ExitCode, Invocation } from "./command.ts";
import { compileFile } from "./compile-file.ts";
import { report } from "./report.ts";
import { readSource, type Source, standardInput } from "./sources.ts";

export interface Prepared extends Compiled {
  readonly source: Source;
}

/**
 * The compiled file, or the exit code after its diagnostics were printed. Warnings alone are printed and the work goes on. `rows`:
 * budgets over the data are held too, which takes reading it.
 */
export const prepare = async (
  call: Invocation,
  goal: CompileOptions["goal"],
  rows = false,
  more: Pick<CompileOptions, "asked"> = {},
): Promise<Prepared | ExitCode> => {
  const name = call.arguments[0]!;
  const source = name === "-" ? { file: standardInput, text: call.io.stdin() } : readSource(name.replace(/^\.\//, ""), call.io.cwd);
  if (!("text" in source)) return report(call, { found: [source], files: [], text: () => undefined, product: false });
  let compiled = await compileFile(source, call, goal, more);
  if (rows && asksForRows(compiled)) compiled = await withRows({ ...compiled, source }, call, goal, more);
  const found = compiled.diagnostics;
  // A file of definitions alone is a fine file, and there is nothing in it to build or run.
  const idle = !compiled.checked && !found.some(({ severity }) => severity === "error");
  const code = await report(call, {
    found: idle ? [...found, diagnostics.nothing_to_do(undefined, { what: `${source.file} declares no \`base\`` })] : found,
    files: [source.file],
    text: (file) => compiled.texts.get(file),
    product: false,
  });
  return code === 0 ? { ...compiled, source } : code;
};

const asksForRows = ({ checked, job }: Compiled): boolean =>
  checked !== undefined && job !== undefined && requireRows(checked.requires, checked.trains).size > 0;

const withRows = async (
  prepared: Prepared,
  call: Invocation,
  goal: CompileOptions["goal"],
  more: Pick<CompileOptions, "asked">,
): Promise<Compiled> => {
  const { surveyData } = await import("./survey.ts");
  const survey = await surveyData(prepared, call.io.cwd);
  const compiled = await compileFile(prepared.source, call, goal, { ...more, rows: survey.rows });
  return { ...compiled, diagnostics: [...compiled.diagnostics, ...survey.found.filter(({ severity }) => severity === "error")] };
};
