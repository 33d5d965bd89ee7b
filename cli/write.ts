// Writing a file so that it is there whole or not at all: beside its final name first, then moved.

import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
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

/** Makes the folder of a file, and those above it. */
export const makeFolder = (folder: string, shown: string): Diagnostic | undefined => {
  try {
    mkdirSync(folder, { recursive: true });
    return undefined;
  } catch (error) {
    return diagnostics.write_failed(undefined, { path: shown, reason: reasonOf(error) });
  }
};
