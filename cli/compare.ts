// `peft compare FILE [NAME …]`: the file's comparisons, or the named ones.

import type { ExitCode, Invocation } from "./command.ts";
import { runSets } from "./sweep.ts";

export const run = (call: Invocation): Promise<ExitCode> => runSets(call, "compare");
