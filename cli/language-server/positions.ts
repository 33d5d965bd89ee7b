// Offsets of the compiler <-> lines and characters of the protocol (both from 0, in UTF-16 units, as the compiler counts), and file
// names <-> URIs. The standard library lives in no folder of the user's, so its files are laid out read-only in the cache.

import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Location, Position, Range } from "vscode-languageserver";
import type { Span } from "../../grammar/tree.ts";
import { std } from "../embedded/std.ts";
import { type Lines, linesOf } from "../render/position.ts";

export type TextOf = (file: string) => string | undefined;

/** Lines of texts seen lately: the same few texts are asked about for each of their diagnostics. */
const known = new Map<string, Lines>();

const linesFor = (text: string): Lines => {
  const found = known.get(text);
  if (found) return found;
  if (known.size > 16) known.clear();
  const lines = linesOf(text);
  known.set(text, lines);
  return lines;
};

export const positionAt = (text: string, offset: number): Position => {
  const { line, column } = linesFor(text).position(Math.min(offset, text.length));
  return { line: line - 1, character: column - 1 };
};

export const rangeOf = ({ start, end }: Pick<Span, "start" | "end">, text: string): Range => ({
  start: positionAt(text, start),
  end: positionAt(text, end),
});

/** Where a position stands in a text; a place behind the end of its line is the end of the line. */
export const offsetAt = (text: string, { line, character }: Position): number => {
  let start = 0;
  for (let i = 0; i < line; i++) {
    const next = text.indexOf("\n", start);
    if (next < 0) return text.length;
    start = next + 1;
  }
  const end = text.indexOf("\n", start);
  return Math.min(start + character, end < 0 ? text.length : end);
};

/** Under the user's cache, named by content, so that versions stand beside each other and none is ever out of date. */
const stdFolder = ((): string => {
  const cache = process.env.XDG_CACHE_HOME || (homedir() === "/" ? tmpdir() : join(homedir(), ".cache"));
  const hash = createHash("sha256");
  for (const [path, text] of std) hash.update(path).update("\0").update(text).update("\0");
  return join(cache, "peft-lang", `std-${hash.digest("hex").slice(0, 12)}`);
})();

const stdFile = (path: string): string => {
  const file = join(stdFolder, path);
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, std.get(path)!);
    chmodSync(file, 0o444);
  }
  return file;
};

/** Whether a file is a laid-out copy of the standard library: shown, never complained about. */
export const isStdCopy = (file: string): boolean => file.startsWith(`${stdFolder.replaceAll("\\", "/")}/`);

export const uriOf = (file: string): string => {
  const inStd = file.startsWith("std/") && std.has(file.slice("std/".length));
  return pathToFileURL(inStd ? stdFile(file.slice("std/".length)) : file).href;
};

/** Undefined for a document that lies in no file (`untitled:`), which is then known by its URI alone. */
export const fileOf = (uri: string): string => (uri.startsWith("file:") ? fileURLToPath(uri).replaceAll("\\", "/") : uri);

export const locationOf = (at: Span, textOf: TextOf): Location | undefined => {
  const text = textOf(at.file);
  return text === undefined ? undefined : { uri: uriOf(at.file), range: rangeOf(at, text) };
};
