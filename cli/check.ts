// `peft check`: every diagnostic of every file, in one run. Loads the grammar and the compiler's checks, no device and no weights.

import { resolve } from "node:path";
import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { type ExitCode, type Invocation, lastValue } from "./command.ts";
import { compileFile } from "./compile-file.ts";
import { report } from "./report.ts";
import { readSources, type Source, standardInput } from "./sources.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const { sources, diagnostics: unread } = readSources(call.arguments, call.io);
  const texts = new Map(sources.map(({ file, text }) => [file, text]));
  const found: Diagnostic[] = [...unread];
  const said = new Set<string>();
  const diagnose = async (source: Source): Promise<readonly Diagnostic[]> => {
    const { compiled, found: inData } = call.flags.has("data")
      ? await (await import("./check-data.ts")).compileWithData(source, call)
      : { compiled: await compileFile(source, call, "check"), found: [] };
    for (const [file, text] of compiled.texts) texts.set(file, text);
    for (const line of compiled.places.size ? (await import("./hub/base.ts")).readFrom(compiled.places.keys(), process.env) : [])
      said.add(line);
    return [...compiled.diagnostics, ...inData];
  };
  for (const source of sources)
    found.push(...(call.flags.has("fix") ? await fixed(source, call, texts, diagnose) : await diagnose(source)));
  return report(call, {
    found: distinct(found),
    files: sources.map(({ file }) => file),
    text: (file) => texts.get(file),
    product: true,
    said: [...said],
  });
};

/** What is left of a file's mistakes once its fixes are applied and it is written back. */
const fixed = async (
  source: Source,
  call: Invocation,
  texts: Map<string, string>,
  diagnose: (source: Source) => Promise<readonly Diagnostic[]>,
): Promise<readonly Diagnostic[]> => {
  const { file } = source;
  if (file === standardInput)
    return [diagnostics.option_value(undefined, { option: "--fix", problem: "has no file to write: the text came from standard input" })];
  const [{ applyFixes }, { linesOf }, { writeWhole }] = await Promise.all([
    import("./fix.ts"),
    import("./render/position.ts"),
    import("./write.ts"),
  ]);
  const { text, applied, found } = await applyFixes(file, source.text, (edited) => diagnose({ file, text: edited }));
  texts.set(file, text);
  if (applied.length === 0) return found;
  const failed = writeWhole(resolve(call.io.cwd, file), text, file);
  if (failed) return [...found, failed];
  const stream = lastValue(call, "format") === undefined && !call.flags.has("json") ? call.io.out : call.io.err;
  for (const { fix, before } of applied) stream.write(`fixed ${file}:${linesOf(before).position(fix.at.start).line}: ${fix.title}\n`);
  return found;
};

/** A file that several others import is read with each of them; what is wrong with it is said once. */
const distinct = (found: readonly Diagnostic[]): readonly Diagnostic[] => {
  const keyOf = ({ code, message, at }: Diagnostic): string => `${code} ${at?.file}:${at?.start} ${message}`;
  return [...new Map(found.map((diagnostic) => [keyOf(diagnostic), diagnostic])).values()];
};
