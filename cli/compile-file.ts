// A `.peft` file and what the command line says about it -> what the compiler makes of it.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type Compiled, type CompileOptions, compile } from "../compiler/compile.ts";
import type { Invocation } from "./command.ts";
import { compileHost } from "./compile-host.ts";
import type { Source } from "./sources.ts";

export const compileFile = async (
  source: Source,
  call: Invocation,
  goal: CompileOptions["goal"],
  more: Pick<CompileOptions, "rows" | "point" | "asked"> = {},
): Promise<Compiled> => {
  const { cwd } = call.io;
  const options = { file: source.file, inputs: inputsOf(call), goal, ...more };
  const host = compileHost(new Map([[source.file, source.text]]), cwd);
  // A lock that is being written is not read.
  if (call.flags.has("lock") || !existsSync(resolve(cwd, `${source.file}.lock`))) return compile(options, host);
  return (await import("./compile-locked.ts")).compileLocked(options, host, cwd);
};

/** `--set NAME=VALUE`, as a record; the last one wins. */
export const inputsOf = (call: Invocation): Readonly<Record<string, string>> =>
  Object.fromEntries((call.values.get("set") ?? []).map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]));
