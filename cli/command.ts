// What a command is: a row of data for `--help` and for the argument parser, and a module that is loaded only when it runs.

import type { Io } from "./io.ts";

export interface Option {
  readonly type: "flag" | "value" | "values";
  readonly short?: string;
  /** Stands for the value in `--help`: `--device auto|cpu|webgpu`. Choices separated by `|` are the only values accepted. */
  readonly value?: string;
  readonly says: string;
}

export interface Invocation {
  readonly io: Io;
  readonly arguments: readonly string[];
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/** 0 clean, 1 diagnostics, 2 wrong usage or our own fault, 130 stopped by Ctrl-C. */
export type ExitCode = 0 | 1 | 2 | 130 | 143;

export interface Command {
  readonly name: string;
  readonly says: string;
  /** The arguments as `--help` shows them. */
  readonly takes: string;
  /** How many arguments without a dash: at least, at most. */
  readonly count: readonly [number, number];
  readonly options: Readonly<Record<string, Option>>;
  readonly examples: readonly string[];
  readonly load: () => Promise<{ readonly run: (call: Invocation) => Promise<ExitCode> }>;
}

export const lastValue = (call: Invocation, name: string): string | undefined => call.values.get(name)?.at(-1);

/** Accepted everywhere. */
export const everywhere: Readonly<Record<string, Option>> = {
  help: { type: "flag", short: "h", says: "this text" },
  version: { type: "flag", short: "V", says: "the version" },
  verbose: { type: "flag", says: "a stack trace when the fault is ours" },
};
