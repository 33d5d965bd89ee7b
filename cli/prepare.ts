// What every command that works on one pipeline does first: read the file, compile it as far as needed, print what is wrong.

import { placed } from "../compiler/blocks/places.ts";
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
  /** Sizes that are open: as large as they may be, measured now, or measured anew by the command itself; absent: they are known, or nothing is done. */
  readonly sizes?: "bounds" | "measured" | "anew";
  /** What is asked of the file beside what it says. */
  readonly asked?: CompileOptions["asked"];
}

type More = Pick<CompileOptions, "asked" | "measured">;

/** The compiled file, or the exit code after its diagnostics were printed. Warnings alone are printed and the work goes on. */
export const prepare = async (call: Invocation, goal: CompileOptions["goal"], needs: Needs = {}): Promise<Prepared | ExitCode> => {
  const name = call.arguments[0]!;
  const source = name === "-" ? { file: standardInput, text: call.io.stdin() } : readSource(name.replace(/^\.\//, ""), call.io.cwd);
  if (!("text" in source)) return report(call, { found: [source], files: [], text: () => undefined, product: false });
  let more: More = { ...(needs.asked && { asked: needs.asked }), ...(needs.sizes === "anew" && { measured: [] }) };
  let compiled = await compileFile(source, call, goal, more);
  if (needs.weights && compiled.places.size > 0) {
    const fetched = await (await import("./hub/fetch-places.ts")).fetchAbsent(compiled, call);
    if (typeof fetched === "number") return fetched;
    if (fetched === "new") compiled = await compileFile(source, call, goal, more);
  }
  const open = goal === "build" ? (compiled.job?.adapters.filter(({ measure }) => measure) ?? []) : [];
  if (needs.sizes === "measured" && open.length > 0) {
    const { areDiagnostics, measureFile } = await import("./measure-file.ts");
    const found = await measureFile(call, source, compiled);
    const { texts } = compiled;
    if (areDiagnostics(found)) return report(call, { found, files: [], text: (file) => texts.get(file), product: false });
    more = { ...more, measured: found };
    compiled = await compileFile(source, call, goal, more);
  } else if (needs.sizes === undefined && open[0]) {
    const { needsMeasuring } = await import("../runtime/measure-sizes.ts");
    const { checked } = compiled;
    const needed = needsMeasuring(open[0]);
    compiled = { ...compiled, diagnostics: [checked ? placed(needed, checked.source) : needed] };
  }
  if (needs.rows && asksForRows(compiled)) compiled = await withRows({ ...compiled, source }, call, goal, more);
  // What is about to be measured is not said to be open.
  const found = compiled.diagnostics.filter(({ code }) => needs.sizes !== "anew" || code !== "PEFT0375");
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

const withRows = async (prepared: Prepared, call: Invocation, goal: CompileOptions["goal"], more: More): Promise<CompiledFile> => {
  const { surveyData } = await import("./survey.ts");
  const survey = await surveyData(prepared, call.io.cwd);
  const compiled = await compileFile(prepared.source, call, goal, { ...more, rows: survey.rows });
  return { ...compiled, diagnostics: [...compiled.diagnostics, ...survey.found.filter(({ severity }) => severity === "error")] };
};
