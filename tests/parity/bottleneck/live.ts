// `npm run parity:adapters -- --python=PATH [TEXT] [--write]`: every case that holds TEXT is computed by AdapterHub's `adapters` now, on the
// Python at PATH that has it (it asks for older transformers than PEFT's tests use), and compared with ours.

import { recompute } from "../methods/recompute.ts";
import { openPython } from "../python.ts";
import { cases, fixtures } from "./cases.ts";

const path = process.argv.find((argument) => argument.startsWith("--python="))?.slice("--python=".length);
await recompute(cases, openPython("bottleneck/adapterhub.py", path), fixtures);
