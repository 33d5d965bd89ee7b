// What every command that works on one pipeline does first: read the file, compile it as far as needed, print what is wrong.

import { requireRows } from "../compiler/check/require.ts";
import type { CompileOptions } from "../compiler/compile.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { ExitCode, Invocation } from "./command.ts";
import { type CompiledFile, compileFile } from "./compile-file.ts";
import { report } from "./report.ts";
import { readSource, type Source, standardInput } from "./sources.ts";

export interface Prepared extends CompiledFile {
  readonly source: Source;
}

export interface Needs {
  /** Budgets over the data are held too, which takes reading it. */
  readonly rows?: boolean;
  /** The base's weights will be read: what of it is on the hub is fetched first. */
  readonly weights?: boolean;
  /** What is asked of the file beside what it says. */
  readonly asked?: CompileOptions["asked"];
}

/** The compiled file, or the exit code after its diagnostics were printed. Warnings alone are printed and the work goes on. */
export const prepare = async (call: Invocation, goal: CompileOptions["goal"], needs: Needs = {}): Promise<Prepared | ExitCode> => {
  const name = call.arguments[0]!;
  const source = name === "-" ? { file: standardInput, text: call.io.stdin() } : readSource(name.replace(/^\.\//, ""), call.io.cwd);
  if (!("text" in source)) return report(call, { found: [source], files: [], text: () => undefined, product: false });
  const more = needs.asked ? { asked: needs.asked } : {};
  let compiled = await compileFile(source, call, goal, more);
  if (needs.weights && compiled.places.size > 0) {
    const fetched = await (await import("./hub/fetch-places.ts")).fetchAbsent(compiled, call);
    if (typeof fetched === "number") return fetched;
    if (fetched === "new") compiled = await compileFile(source, call, goal, more);
  }
  if (needs.rows && asksForRows(compiled)) compiled = await withRows({ ...compiled, source }, call, goal, more);
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

const asksForRows = ({ checked, job }: CompiledFile): boolean =>
  checked !== undefined && job !== undefined && requireRows(checked.requires, checked.trains).size > 0;

const withRows = async (
  prepared: Prepared,
  call: Invocation,
  goal: CompileOptions["goal"],
  more: Pick<CompileOptions, "asked">,
): Promise<CompiledFile> => {
  const { surveyData } = await import("./survey.ts");
  const survey = await surveyData(prepared, call.io.cwd);
  const compiled = await compileFile(prepared.source, call, goal, { ...more, rows: survey.rows });
  return { ...compiled, diagnostics: [...compiled.diagnostics, ...survey.found.filter(({ severity }) => severity === "error")] };
};
