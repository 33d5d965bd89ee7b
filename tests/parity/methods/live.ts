// `npm run parity [TEXT] [-- --write]`: every case that holds TEXT is computed by PEFT now, and compared with ours. `--write` stores
// PEFT's answers as the fixtures that the tests use where there is no Python.

import { openPython, pythonMissing } from "../python.ts";
import { cases } from "./cases.ts";
import { recompute } from "./recompute.ts";

if (pythonMissing) throw new Error(`no Python to compare with: ${pythonMissing}`);
await recompute(cases, openPython("methods/methods.py"));
