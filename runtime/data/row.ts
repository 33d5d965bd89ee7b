// What every reader gives: rows with a number a person can find again, in blocks so that a large file is never whole in memory.
// A reader reports what is wrong with a row and goes on; `Problems` stops it once there is enough to see the pattern.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { DiagnosticError } from "../diagnostic-error.ts";
import type { ReadingHost } from "../host.ts";

export interface Row {
  /** Line of the file, from 1; for a JSON file its place in the list, from 1. */
  readonly number: number;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Reads a file's rows in blocks. `columns`: their names, where the file has none. */
export type Reader = (
  host: ReadingHost,
  path: string,
  problems: Problems,
  columns: readonly string[] | undefined,
) => AsyncIterable<readonly Row[]>;

export interface Problems {
  add(diagnostic: Diagnostic): void;
  /** Throws what was added, if anything. */
  finish(): void;
}

const most = 10;

/** Collects diagnostics and throws them together: at `finish`, or when there are ten. */
export const collectProblems = (): Problems => {
  const found: Diagnostic[] = [];
  const finish = () => {
    if (found.length > 0) throw new DiagnosticError(found);
  };
  return {
    add: (diagnostic) => {
      found.push(diagnostic);
      if (found.length >= most) finish();
    },
    finish,
  };
};

/** How a message says what kind of value stands where another was expected. */
export const kindOf = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "a list"
      : typeof value === "object"
        ? "an object"
        : typeof value === "string"
          ? "text"
          : `a ${typeof value}`;
