// `peft train`: the file's `train` blocks, or those of the adapters named.

import type { ExitCode, Invocation } from "./command.ts";
import { runVerbs } from "./run.ts";

export const run = (call: Invocation): Promise<ExitCode> => runVerbs(call, ["train"]);
