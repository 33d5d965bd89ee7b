// A `.peft` file and what the command line says about it -> what the compiler makes of it.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type Compiled, type CompileOptions, compile } from "../compiler/compile.ts";
import type { CompileHost } from "../compiler/host.ts";
import type { Invocation } from "./command.ts";
import { compileHost } from "./compile-host.ts";
import { readMeasured } from "./measured.ts";
import type { Source } from "./sources.ts";

export interface CompiledFile extends Compiled {
  /** Places of the hub that it names (as its lock pins them), and whether their weights are read. */
  readonly places: ReadonlyMap<string, boolean>;
}

export const compileFile = async (
  source: Source,
  call: Invocation,
  goal: CompileOptions["goal"],
  more: Pick<CompileOptions, "rows" | "point" | "asked" | "measured"> = {},
): Promise<CompiledFile> => {
  const { cwd } = call.io;
  const measured = more.measured ?? (await readMeasured(source.file, cwd));
  const options = { file: source.file, inputs: inputsOf(call), goal, ...more, measured: "code" in measured ? [] : measured };
  const host = compileHost(new Map([[source.file, source.text]]), cwd);
  const places = new Map<string, boolean>();
  const hub: CompileHost["hub"] = (place, weights) => {
    places.set(place, weights || places.get(place) === true);
    return host.hub!(place, weights);
  };
  const recording = { ...host, hub };
  // A lock that is to be written anew is not read.
  const unlocked = call.flags.has("lock") || call.flags.has("update") || !existsSync(resolve(cwd, `${source.file}.lock`));
  const compiled = unlocked
    ? await compile(options, recording)
    : await (await import("./compile-locked.ts")).compileLocked(options, recording, cwd);
  return { ...compiled, ...("code" in measured && { diagnostics: [measured, ...compiled.diagnostics] }), places };
};

/** `--set NAME=VALUE`, as a record; the last one wins. */
export const inputsOf = (call: Invocation): Readonly<Record<string, string>> =>
  Object.fromEntries((call.values.get("set") ?? []).map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]));
