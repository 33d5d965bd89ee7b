// `peft evaluate`: the file's `evaluate` blocks, or those of the names given, with adapters as an earlier run saved them.

import type { ExitCode, Invocation } from "./command.ts";
import { runVerbs } from "./run.ts";

export const run = (call: Invocation): Promise<ExitCode> => runVerbs(call, ["evaluate"]);
