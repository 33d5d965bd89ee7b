// `peft fmt`: every file the one way it is written. A file with a syntax error is reported and left as it is; the formatter
// never guesses. With `--check` nothing is written. `-` reads standard input and writes standard output.

import { resolve } from "node:path";
import { format } from "../grammar/format.ts";
import { parse } from "../grammar/parse.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { ExitCode, Invocation } from "./command.ts";
import { report } from "./report.ts";
import { readSources, type Source, standardInput } from "./sources.ts";
import { writeWhole } from "./write.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const { io, flags } = call;
  const { sources, diagnostics: unread } = readSources(call.arguments, io);
  const found: Diagnostic[] = [...unread];
  const written: string[] = [];
  for (const source of sources) {
    const { file: tree, diagnostics: wrong } = parse(source.text, source.file);
    found.push(...wrong);
    if (wrong.some(({ severity }) => severity === "error")) continue;
    const formatted = format(tree, source.text);
    if (flags.has("check")) found.push(...unformatted(source, formatted));
    else if (source.file === standardInput) io.out.write(formatted);
    else if (formatted !== source.text) {
      const failed = writeWhole(resolve(io.cwd, source.file), formatted, source.file);
      if (failed) found.push(failed);
      else written.push(source.file);
    }
  }
  const texts = new Map(sources.map(({ file, text }) => [file, text]));
  const piped = sources.some(({ file }) => file === standardInput) && !flags.has("check");
  if (!piped && !flags.has("check")) for (const file of written) io.out.write(`formatted ${file}\n`);
  return report(call, {
    found,
    files: sources.map(({ file }) => file),
    text: (file) => texts.get(file),
    product: flags.has("check"),
  });
};

const unformatted = (source: Source, formatted: string): readonly Diagnostic[] => {
  if (formatted === source.text) return [];
  const is = source.text.split("\n");
  const shouldBe = formatted.split("\n");
  let line = 0;
  while (is[line] === shouldBe[line]) line++;
  const start = is.slice(0, line).reduce((sum, text) => sum + text.length + 1, 0);
  const wanted = shouldBe[line]?.trim();
  return [
    diagnostics.not_formatted(
      { file: source.file, start: Math.min(start, source.text.length), end: Math.min(source.text.length, start + (is[line]?.length ?? 0)) },
      { label: wanted ? `should be \`${shouldBe[line]}\`` : "should not be here", help: `peft fmt ${source.file}` },
    ),
  ];
};
