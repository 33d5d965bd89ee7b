// Writes fixtures/: what transformers computes for each case. `npm run parity:models` (TEXT: only cases whose name holds it).

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { openPython } from "../python.ts";
import { cases } from "./cases.ts";
import { ask } from "./live.ts";
import { storedAs } from "./lora.ts";

const python = openPython("models/models.py");
const folder = mkdtempSync(`${tmpdir()}/peft-models-`);
for (const one of cases.filter(({ name }) => name.includes(process.argv[2] ?? ""))) {
  try {
    // What is stored follows from the checkpoint's names, which transformers says first.
    const alone = await ask(python, one, `${folder}/${one.name}`);
    const theirs = await ask(python, one, `${folder}/${one.name}`, await storedAs(one, alone));
    writeFileSync(new URL(`fixtures/${one.name}.json`, import.meta.url), `${JSON.stringify(theirs)}\n`);
    console.log(`${one.name}: ${Object.keys(theirs.tensors).length} tensors`);
  } catch (error) {
    console.log(`${one.name}: ${error instanceof Error ? error.message : error}`);
  }
}
python.close();
rmSync(folder, { recursive: true, force: true });
