// `peft import FILE…`: another tool's configuration -> a `.peft` file, and what became of every key. One file is written into the working
// folder, where the paths in it are right; several into the folder that `-o` names, or nowhere with `--dry-run`, which then says how
// many import whole and what the others lack.

import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve as resolvePath } from "node:path";
import { type Library, resolve } from "../compiler/blocks/resolve.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { type ExitCode, type Invocation, lastValue } from "./command.ts";
import { compileHost } from "./compile-host.ts";
import type { Imported } from "./import/draft.ts";
import { importFile } from "./import/import-file.ts";
import type { Reported } from "./import/outcome.ts";
import { renderImport, renderSurvey, surveyOf } from "./render/import.ts";
import { report } from "./report.ts";
import { filesBelow, readSource } from "./sources.ts";
import { makeFolder, writeWhole } from "./write.ts";

export interface OneImport {
  readonly file: string;
  readonly imported: Imported;
}

export const run = async (call: Invocation): Promise<ExitCode> => {
  const { io, flags } = call;
  const found: Diagnostic[] = [];
  const texts = new Map<string, string>();
  const done: OneImport[] = [];
  const files = call.arguments.flatMap((name) => {
    const folder = statSync(resolvePath(io.cwd, name), { throwIfNoEntry: false })?.isDirectory();
    return folder ? filesBelow(name, io.cwd, /\.(ya?ml|json)$/) : [name];
  });
  const library = standardLibrary();
  for (const file of files) {
    const source = readSource(file, io.cwd);
    if (!("text" in source)) {
      found.push(source);
      continue;
    }
    texts.set(file, source.text);
    const read = (path: string): string | undefined =>
      textOf(resolvePath(io.cwd, dirname(file), path)) ?? textOf(resolvePath(io.cwd, path));
    const imported = importFile({ text: source.text, file, library, read });
    if ("diagnostics" in imported) found.push(...imported.diagnostics);
    else done.push({ file, imported });
  }

  const written = flags.has("dry-run") ? new Map<string, string>() : write(call, done, files.length, found);
  const format = flags.has("json") ? "json" : (lastValue(call, "format") ?? "text");
  if (format === "json") io.out.write(`${JSON.stringify(surveyOf(done, found), undefined, 2)}\n`);
  else if (format === "text" && lastValue(call, "output") !== "-") {
    if (files.length > 1) io.out.write(renderSurvey(surveyOf(done, found), io.out.colour));
    else for (const one of done) io.out.write(renderImport(one, written.get(one.file), texts.get(one.file)!, io.out.colour));
  }
  const warnings = done.flatMap(({ imported }) => imported.outcomes.flatMap((outcome) => warningOf(outcome, imported.tool)));
  // In text they were listed already; what could not be read has its frame.
  const shown = format === "text" || format === "json" ? found : [...found, ...warnings];
  const several = files.length > 1 && flags.has("dry-run") && format === "text";
  const code = await report(call, {
    found: several ? [] : shown,
    files: format === "text" || format === "json" ? [] : files,
    text: (file) => texts.get(file),
    product: format !== "text" && format !== "json",
  });
  if (found.length) return several && found.every(({ code: own }) => own === "PEFT0574") ? 0 : 1;
  return code === 0 && warnings.length && lastValue(call, "deny") === "warnings" ? 1 : code;
};

/** What a pipeline without imports may use. */
const standardLibrary = (): Library => resolve("import.peft", compileHost(new Map([["import.peft", "peft 1\n"]])), () => {})!.library;

const textOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

const warningOf = ({ given, fate, says, along }: Reported, tool: string): readonly Diagnostic[] => {
  if (along !== undefined) return [];
  const details = { key: given.name, tool, why: says };
  if (fate === "lost") return [diagnostics.import_not_carried(given.at, details)];
  return fate === "dropped" ? [diagnostics.import_ignored(given.at, details)] : [];
};

/** `experiments/rank32/adapter_config.json` → rank32, since every such file has one name. */
const nameOf = (file: string, cwd: string): string => {
  const name = basename(file).replace(/\.(ya?ml|json)$/, "");
  return name === "adapter_config" ? basename(dirname(resolvePath(cwd, file))) : name;
};

/** Writes what was imported; names of the files by name of what they came from. */
const write = (call: Invocation, done: readonly OneImport[], count: number, found: Diagnostic[]): ReadonlyMap<string, string> => {
  const { io } = call;
  const output = lastValue(call, "output");
  const written = new Map<string, string>();
  if (count > 1 && output === undefined) {
    found.push(diagnostics.usage_incomplete(undefined, { usage: "peft import FILE FILE … -o DIR, or --dry-run" }));
    return written;
  }
  const folder = output !== undefined && output !== "-" && (count > 1 || output.endsWith("/") || isFolder(resolvePath(io.cwd, output)));
  for (const { file, imported } of done) {
    if (output === "-") {
      io.out.write(imported.text);
      continue;
    }
    const target = folder ? join(output!, `${nameOf(file, io.cwd)}.peft`) : (output ?? `${nameOf(file, io.cwd)}.peft`);
    const path = resolvePath(io.cwd, target);
    const failed = existsSync(path)
      ? diagnostics.would_overwrite(undefined, { file: target }, { help: "choose another name with `-o FILE`" })
      : ((folder ? makeFolder(resolvePath(io.cwd, output!), output!) : undefined) ?? writeWhole(path, imported.text, target));
    if (failed) found.push(failed);
    else written.set(file, target);
  }
  return written;
};

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
