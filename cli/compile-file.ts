// A `.peft` file and what the command line says about it -> what the compiler makes of it.

import { type Compiled, type CompileOptions, compile } from "../compiler/compile.ts";
import type { Invocation } from "./command.ts";
import { compileHost } from "./compile-host.ts";
import type { Source } from "./sources.ts";

export const compileFile = (
  source: Source,
  call: Invocation,
  goal: CompileOptions["goal"],
  point?: CompileOptions["point"],
): Promise<Compiled> =>
  compile(
    { file: source.file, inputs: inputsOf(call), goal, ...(point && { point }) },
    compileHost(new Map([[source.file, source.text]]), call.io.cwd),
  );

/** `--set NAME=VALUE`, as a record; the last one wins. */
export const inputsOf = (call: Invocation): Readonly<Record<string, string>> =>
  Object.fromEntries((call.values.get("set") ?? []).map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]));
