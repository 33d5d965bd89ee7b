// `peft check`: every diagnostic of every file, in one run. Loads the grammar and the compiler's checks, no device and no weights.

import { parse } from "../grammar/parse.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import type { ExitCode, Invocation } from "./command.ts";
import { report } from "./report.ts";
import { readSources } from "./sources.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const { sources, diagnostics: unread } = readSources(call.arguments, call.io);
  const texts = new Map(sources.map(({ file, text }) => [file, text]));
  const found: Diagnostic[] = [...unread];
  for (const { file, text } of sources) found.push(...parse(text, file).diagnostics);
  return report(call, { found, files: sources.map(({ file }) => file), text: (file) => texts.get(file), product: true });
};
