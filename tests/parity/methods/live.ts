// `npm run parity [TEXT] [-- --write]`: every case that holds TEXT is computed by PEFT now, and compared with ours. `--write` stores
// PEFT's answers as the fixtures that the tests use where there is no Python.

import { mkdirSync } from "node:fs";
import { cpuDevice } from "../../../runtime/devices/cpu.ts";
import { openPython, pythonMissing } from "../python.ts";
import { cases } from "./cases.ts";
import { compare, openWorkshop } from "./compare.ts";
import { complaints, row } from "./judge.ts";
import { askPeft, type Reference, readFixtures, writeFixtures } from "./reference.ts";
import { distances, worst } from "./tensors.ts";

if (pythonMissing) throw new Error(`no Python to compare with: ${pythonMissing}`);
const write = process.argv.includes("--write");
const text = process.argv.slice(2).find((argument) => !argument.startsWith("--")) ?? "";
const start = performance.now();
const workshop = await openWorkshop(await cpuDevice({ threads: 1 }));
const python = openPython("methods/methods.py");
const fixtures = await readFixtures();
const references = new Map([...fixtures.references].filter(([name]) => cases[name]));
let failed = 0;
try {
  const versions = (await python.ask({ do: "versions" })) as Record<string, string>;
  console.log(`PEFT ${versions.peft}, PyTorch ${versions.torch}, transformers ${versions.transformers}`);
  for (const [name, one] of Object.entries(cases)) {
    if (!name.includes(text)) continue;
    const out = `${workshop.folder}/theirs/${name.replaceAll(/\W+/g, "-")}`;
    mkdirSync(out, { recursive: true });
    try {
      const reference = await askPeft(python.ask, workshop.base(one.base), one, out);
      references.set(name, { asked: one, reference });
      const apart = await compare(name, one, reference, workshop);
      const wrong = [...complaints(apart), ...drift(fixtures.references.get(name)?.reference, reference)];
      if (reference.config) wrong.push(...(await returns(name, apart.saved, apart.logits)));
      failed += wrong.length ? 1 : 0;
      console.log(`${row(name, apart)}${wrong.map((line) => `\n    ${line}`).join("")}`);
    } catch (error) {
      failed++;
      console.log(`${name.padEnd(48)} ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (write) await writeFixtures({ versions, references });
} finally {
  python.close();
  workshop.close();
}
console.log(`${failed ? `${failed} differ` : "all agree"}, ${((performance.now() - start) / 1000).toFixed(0)} s`);
process.exit(failed && !write ? 1 : 0);

/** What we trained and saved, loaded by PEFT: logits of the first row. */
async function returns(name: string, saved: string, ours: readonly (readonly number[])[]): Promise<string[]> {
  const { base } = cases[name]!;
  const { batches } = await import("./case.ts");
  const answer = (await python.ask({ do: "logits", base: workshop.base(base), adapter: saved, ids: [batches[0]!.ids[0]] })) as {
    logits: number[][][];
  };
  const far = Math.max(...answer.logits[0]!.flatMap((line, i) => line.map((x, k) => Math.abs(x - ours[i]![k]!))));
  return far < 1e-4 ? [] : [`what we saved gives PEFT logits that are ${far} away`];
}

/** The committed fixtures against what PEFT says today. */
function drift(before: Reference | undefined, now: Reference): string[] {
  if (!before || write) return [];
  const { name, far } = worst(distances(before.sgd.tensors, now.sgd.tensors));
  return far < 1e-4 ? [] : [`the fixture is ${far} from what PEFT says now (${name}): run with --write, and look at the difference`];
}
