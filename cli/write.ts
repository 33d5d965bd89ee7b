// Writing a file so that it is there whole or not at all: beside its final name first, then moved.

import { accessSync, constants, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { reasonOf } from "./sources.ts";

/** What went wrong, if anything. `shown` is the name a person knows the file by. */
export const writeWhole = (path: string, content: string | Uint8Array, shown: string): Diagnostic | undefined => {
  const beside = `${path}.part`;
  try {
    writeFileSync(beside, content);
    renameSync(beside, path);
    return undefined;
  } catch (error) {
    rmSync(beside, { force: true });
    return diagnostics.write_failed(undefined, { path: shown, reason: reasonOf(error) });
  }
};

/** Makes a folder and those above it, one by one: Node's own recursive mkdir never returns where a file system makes none (/proc). */
export const makeFolder = (folder: string, shown: string): Diagnostic | undefined => {
  try {
    const missing: string[] = [];
    for (let path = folder; !existsSync(path); path = dirname(path)) missing.push(path);
    for (const path of missing.reverse()) mkdirSync(path);
    if (!statSync(folder).isDirectory()) throw Object.assign(new Error("not a folder"), { code: "ENOTDIR" });
    accessSync(folder, constants.W_OK);
    return undefined;
  } catch (error) {
    return diagnostics.write_failed(undefined, { path: shown, reason: reasonOf(error) });
  }
};
