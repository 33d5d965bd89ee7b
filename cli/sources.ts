// What a user names on the command line -> `.peft` files with their text. A folder means every `.peft` file below it, a glob what
// it matches, `-` standard input. Each file comes once, in a stable order; a name that leads nowhere is a diagnostic.

import { isUtf8 } from "node:buffer";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { type Diagnostic, nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Io } from "./io.ts";

export interface Source {
  /** As a person would write it from here: relative, with forward slashes. */
  readonly file: string;
  readonly text: string;
}

export const standardInput = "<stdin>";

export const readSources = (
  names: readonly string[],
  io: Io,
): { readonly sources: readonly Source[]; readonly diagnostics: readonly Diagnostic[] } => {
  const sources = new Map<string, Source>();
  const found: Diagnostic[] = [];
  for (const name of names) {
    if (name === "-") {
      sources.set(name, { file: standardInput, text: io.stdin() });
      continue;
    }
    const files = expand(name, io.cwd);
    if (!files.length) found.push(diagnostics.no_sources(undefined, { pattern: name }));
    for (const file of files) {
      if (sources.has(file)) continue;
      const read = readSource(file, io.cwd);
      if ("text" in read) sources.set(file, read);
      else found.push(read);
    }
  }
  return { sources: [...sources.values()], diagnostics: found };
};

export const readSource = (file: string, cwd: string): Source | Diagnostic => {
  const path = resolve(cwd, file);
  try {
    return readBytes(file, readFileSync(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      return diagnostics.read_failed(undefined, { path: file, reason: reasonOf(error) });
    const near = nearest(basename(file), namesIn(dirname(path)));
    const help = near === undefined ? {} : { help: `did you mean \`${join(dirname(file), near).replaceAll("\\", "/")}\`?` };
    return diagnostics.file_missing(undefined, { path: file }, help);
  }
};

/** A byte order mark is no character of the language; spans count from behind it. */
const readBytes = (file: string, bytes: Buffer): Source | Diagnostic => {
  const text = bytes.toString("utf8").replace(/^\ufeff/, "");
  const start = text.indexOf("\ufffd");
  // U+FFFD stands where bytes were none; it may also have been written.
  if (start < 0 || isUtf8(bytes)) return { file, text };
  return diagnostics.not_text(undefined, {
    notes: [{ message: `${file}:${lineAndColumn(text, start)} has bytes that are no character` }],
    help: "save it as UTF-8",
  });
};

const lineAndColumn = (text: string, offset: number): string => {
  const before = text.slice(0, offset).split("\n");
  return `${before.length}:${before.at(-1)!.length + 1}`;
};

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

const expand = (name: string, cwd: string): readonly string[] => {
  const path = resolve(cwd, name);
  if (isFolder(path)) return sourcesBelow(path, cwd);
  // A file may have any character in its name, so a name that exists is never a glob.
  if (!/[*?{[]/.test(name) || statSync(path, { throwIfNoEntry: false })) return [shown(path, cwd)];
  const fixed = name.slice(0, name.search(/[*?{[]/));
  const root = resolve(cwd, fixed.slice(0, fixed.lastIndexOf("/") + 1));
  const matches = globMatcher(name.replace(/^\.\//, ""));
  return isFolder(root) ? sourcesBelow(root, cwd).filter((file) => matches(name.startsWith("/") ? resolve(cwd, file) : file)) : [];
};

/** Files below a folder whose names match, in a stable order; hidden folders and node_modules are left out. */
export const filesBelow = (folder: string, cwd: string, name: RegExp): readonly string[] => below(resolve(cwd, folder), cwd, name);

const sourcesBelow = (folder: string, cwd: string): readonly string[] => below(folder, cwd, /\.peft$/);

const below = (folder: string, cwd: string, name: RegExp): readonly string[] => {
  const files: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...below(path, cwd, name));
    else if (name.test(entry.name)) files.push(shown(path, cwd));
  }
  return files;
};

const shown = (path: string, cwd: string): string => {
  const near = relative(cwd, path).replaceAll("\\", "/");
  return near.startsWith("../../..") ? path.replaceAll("\\", "/") : near;
};

/** `*` and `?` stay within a name, `**` crosses folders, `{a,b}` chooses, `[abc]` is a set. */
export const globMatcher = (pattern: string): ((path: string) => boolean) => {
  let depth = 0;
  const source = pattern.replace(/\*\*\/?|\*|\?|\{|\}|,|\[[^\]]*\]|[.+^$()|\\[\]]/g, (token) => {
    if (token === "**/") return "(?:[^/]+/)*";
    if (token === "**") return ".*";
    if (token === "*") return "[^/]*";
    if (token === "?") return "[^/]";
    if (token === "{") return depth++ >= 0 ? "(?:" : token;
    if (token === "}") return depth-- > 0 ? ")" : "\\}";
    if (token === ",") return depth > 0 ? "|" : ",";
    if (token.length > 1) return token.replace(/^\[!/, "[^");
    return `\\${token}`;
  });
  const expression = new RegExp(`^${source}${")".repeat(Math.max(0, depth))}$`);
  return (path) => expression.test(path);
};

const namesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(".peft"));
  } catch {
    return [];
  }
};

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOSPC: "no space left on the disk",
  EROFS: "the disk is read-only",
  ENOTDIR: "a part of its path is a file",
  EEXIST: "it is there already",
};

export const reasonOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code && reasons[code]) ?? message;
};
