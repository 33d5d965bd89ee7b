// `peft evaluate`: the file's `evaluate` blocks, or those of the names given, with adapters as an earlier run saved them. With
// `--adapter DIR` they evaluate the adapter that lies there, this program's or Hugging Face PEFT's, in place of the file's own.

import { join } from "node:path";
import { outputFolder } from "./build.ts";
import { type ExitCode, type Invocation, lastValue } from "./command.ts";
import { givenAdapters } from "./given-adapters.ts";
import { runVerbs } from "./run.ts";

export const run = (call: Invocation): Promise<ExitCode> => {
  const folders = call.values.get("adapter");
  if (!folders) return runVerbs(call, ["evaluate"]);
  const adapters = givenAdapters(call, folders);
  // What a run of the file left is not written over by the results of another adapter.
  const output = lastValue(call, "output") ?? join(outputFolder(call), "evaluated", adapters.map(({ name }) => name).join("+"));
  const values = new Map([...call.values, ["output", [output]] as const]);
  return runVerbs({ ...call, values }, ["evaluate"], { asked: { adapters, to: "evaluate" } });
};
