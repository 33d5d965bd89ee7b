// A document and what lies around it on the disk -> everything the editor may ask about it. One analysis per version of a
// document: the compiler's `check`, and the syntax tree of the text as it is, mistakes and all.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Compiled, compile } from "../../compiler/compile.ts";
import type { CompileHost } from "../../compiler/host.ts";
import type { File, Span } from "../../grammar/tree.ts";
import type { Diagnostic } from "../../spec/diagnostic.ts";
import { compileHost } from "../compile-host.ts";
import { std } from "../embedded/std.ts";
import { trees } from "../embedded/trees.ts";
import { readMeasured } from "../measured.ts";

/** Codes of what the parser reports. */
const syntax = /^PEFT01/;

export interface Analysis {
  /** Absolute, with forward slashes. */
  readonly file: string;
  readonly text: string;
  readonly tree: File;
  /** The tree has mistakes: the formatter keeps away. */
  readonly broken: boolean;
  readonly diagnostics: readonly Diagnostic[];
  readonly compiled: Compiled;
  /** Text of any file that a span may name, the standard library's included. */
  readonly textOf: (file: string) => string | undefined;
  readonly host: CompileHost;
}

/** Texts that are open and may differ from the disk. */
export type OpenTexts = ReadonlyMap<string, string>;

export const analyse = async (file: string, text: string, open: OpenTexts, headers: HeaderCache): Promise<Analysis> => {
  const host = hostOver(new Map([...open, [file, text]]), headers);
  const measured = await readMeasured(file, "/");
  const compiled = await compile({ file, goal: "check", measured: "code" in measured ? [] : measured }, host);
  const tree = compiled.resolved!.trees.get(file)!; // its text was given, so it was read
  const textOf = (name: string): string | undefined =>
    name === file ? text : (compiled.texts.get(name) ?? std.get(name.replace(/^std\//, "")) ?? open.get(name));
  const broken = compiled.diagnostics.some(({ code, at }) => at?.file === file && syntax.test(code));
  return { file, text, tree, broken, diagnostics: compiled.diagnostics, compiled, textOf, host };
};

/** Text of a span, for hints and hovers. */
export const textAt = ({ textOf }: Pick<Analysis, "textOf">, { file, start, end }: Span): string => textOf(file)?.slice(start, end) ?? "";

/**
 * Checkpoint headers by folder, read again when a file of the folder has changed. A keystroke then costs a few `stat`s instead
 * of opening every shard.
 */
export class HeaderCache {
  readonly #known = new Map<string, { readonly stamp: string; readonly read: ReturnType<CompileHost["headers"]> }>();

  read(folder: string, read: CompileHost["headers"]): ReturnType<CompileHost["headers"]> {
    const stamp = stampOf(folder);
    const known = this.#known.get(folder);
    if (known?.stamp === stamp) return known.read;
    const fresh = read(folder);
    this.#known.set(folder, { stamp, read: fresh });
    return fresh;
  }
}

const stampOf = (folder: string): string => {
  try {
    return readdirSync(folder)
      .filter((name) => /\.(safetensors|json)$/.test(name))
      .map((name) => {
        const { mtimeMs, size } = statSync(join(folder, name));
        return `${name} ${mtimeMs} ${size}`;
      })
      .join("\n");
  } catch {
    return "absent";
  }
};

/** Trees of the standard library, read once for all analyses: nothing changes a tree. */
const stdTrees = new Map<string, File>();

const stdTree = (path: string): File | undefined => {
  const known = stdTrees.get(path);
  const text = known ? undefined : trees.get(path);
  if (text === undefined) return known;
  const read = JSON.parse(text) as File;
  stdTrees.set(path, read);
  return read;
};

const hostOver = (texts: OpenTexts, cache: HeaderCache): CompileHost => {
  const host = compileHost(texts, "/");
  // Weights are looked at by the command line: a keystroke reads none.
  const { weightsPrint: _, ...rest } = host;
  return { ...rest, stdTrees: { get: stdTree }, headers: (folder) => cache.read(folder, host.headers) };
};
