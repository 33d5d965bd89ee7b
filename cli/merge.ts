// `peft merge`: the file's `merge` blocks, or those of the adapters named, as an earlier run saved them.

import type { ExitCode, Invocation } from "./command.ts";
import { runVerbs } from "./run.ts";

export const run = (call: Invocation): Promise<ExitCode> => runVerbs(call, ["merge"]);
