// `peft check`: every diagnostic of every file, in one run. Loads the grammar and the compiler's checks, no device and no weights.

import type { Diagnostic } from "../spec/diagnostic.ts";
import type { ExitCode, Invocation } from "./command.ts";
import { compileFile } from "./compile-file.ts";
import { report } from "./report.ts";
import { readSources } from "./sources.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const { sources, diagnostics: unread } = readSources(call.arguments, call.io);
  const texts = new Map(sources.map(({ file, text }) => [file, text]));
  const found: Diagnostic[] = [...unread];
  for (const source of sources) {
    const compiled = await compileFile(source, call, "check");
    found.push(...compiled.diagnostics);
    for (const [file, text] of compiled.texts) texts.set(file, text);
  }
  return report(call, { found: distinct(found), files: sources.map(({ file }) => file), text: (file) => texts.get(file), product: true });
};

/** A file that several others import is read with each of them; what is wrong with it is said once. */
const distinct = (found: readonly Diagnostic[]): readonly Diagnostic[] => {
  const keyOf = ({ code, message, at }: Diagnostic): string => `${code} ${at?.file}:${at?.start} ${message}`;
  return [...new Map(found.map((diagnostic) => [keyOf(diagnostic), diagnostic])).values()];
};
