// FILE.measured: read by every compilation of FILE, written where sizes were measured.

import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Measured, MeasuredSizes } from "../spec/measured.ts";
import { standardInput } from "./sources.ts";
import { writeWhole } from "./write.ts";

export const measuredFile = (file: string): string => `${file}.measured`;

/** What was measured for a file: nothing where there is none. */
export const readMeasured = async (file: string, cwd: string): Promise<readonly MeasuredSizes[] | Diagnostic> => {
  const path = resolve(cwd, measuredFile(file));
  if (file === standardInput || !existsSync(path)) return [];
  const { measuredProblem } = await import("./validate-measured.ts");
  const unreadable = (problem: string): Diagnostic =>
    diagnostics.lock_unreadable(
      undefined,
      { lock: measuredFile(file), problem },
      { help: `remove it and measure again: \`peft measure ${file}\`` },
    );
  try {
    const document: unknown = JSON.parse(readFileSync(path, "utf8"));
    const problem = measuredProblem(document);
    return problem === undefined ? (document as Measured).lines : unreadable(problem);
  } catch (error) {
    return unreadable(error instanceof Error ? error.message : String(error));
  }
};

/** What went wrong, if anything. */
export const writeMeasured = (file: string, lines: readonly MeasuredSizes[], cwd: string): Diagnostic | undefined => {
  const document: Measured = { format: "peft-measured/1", lines };
  return writeWhole(resolve(cwd, measuredFile(file)), `${oneLineEach(document)}\n`, measuredFile(file));
};

/** A target a line, so that a review sees which one changed. */
const oneLineEach = (document: Measured): string =>
  JSON.stringify(document, undefined, 1).replaceAll(
    /\{\s+("\w+": \d+(?:,\s+"\w+": \d+)*)\s+\}/g,
    (_, sizes: string) => `{ ${sizes.replaceAll(/\s+/g, " ")} }`,
  );
