// Imports a text with the standard library, or with methods of the test's own.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileHost } from "../../cli/compile-host.ts";
import type { Imported } from "../../cli/import/draft.ts";
import { importFile } from "../../cli/import/import-file.ts";
import type { Fate } from "../../cli/import/outcome.ts";
import { type Library, resolve } from "../../compiler/blocks/resolve.ts";
import { type Compiled, compile } from "../../compiler/compile.ts";

export const libraryWith = (definitions = ""): Library =>
  resolve("own.peft", compileHost(new Map([["own.peft", `peft 1\n${definitions}`]])), () => {})!.library;

const library = libraryWith();

export const importText = (text: string, own: Library = library, beside: Readonly<Record<string, string>> = {}): Imported => {
  const imported = importFile({ text, file: "given.yml", library: own, read: (path) => beside[path] });
  if ("diagnostics" in imported) throw new Error(imported.diagnostics.map(({ message }) => message).join("\n"));
  return imported;
};

export const fateOf = ({ outcomes }: Imported, key: string): Fate | undefined => outcomes.find(({ given }) => given.name === key)?.fate;

const base = fileURLToPath(new URL("../../examples/quickstart/base", import.meta.url));

/** Compiles an imported text beside the quickstart's base under the folder that the text names. */
export const compiled = async (text: string, folder: string, goal: "check" | "plan" = "check"): Promise<Compiled> => {
  const place = mkdtempSync(join(tmpdir(), "peft-import-"));
  try {
    cpSync(base, join(place, folder), { recursive: true });
    writeFileSync(join(place, "given.peft"), text);
    writeFileSync(join(place, "rows.jsonl"), `${JSON.stringify({ story: "Once there was a cat." })}\n`.repeat(4));
    return await compile({ file: join(place, "given.peft"), goal }, compileHost(new Map(), place));
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
};
