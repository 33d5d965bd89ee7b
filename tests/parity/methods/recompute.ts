// Cases computed by the other library now, compared with ours and with the fixtures. Reads TEXT and `--write` of the command line.

import { mkdirSync } from "node:fs";
import { cpuDevice } from "../../../runtime/devices/cpu.ts";
import type { PythonSession } from "../python.ts";
import { batches, type MethodCase } from "./case.ts";
import { type Apart, compare, openWorkshop } from "./compare.ts";
import { complaints, row } from "./judge.ts";
import { askLibrary, type Reference, readFixtures, writeFixtures } from "./reference.ts";
import { distances, worst } from "./tensors.ts";

/** Ends the process: with 1 where something differs that was not to be written. `fixtures`: where they lie, without an ending. */
export const recompute = async (cases: Readonly<Record<string, MethodCase>>, python: PythonSession, fixtures?: string): Promise<never> => {
  const write = process.argv.includes("--write");
  const text = process.argv.slice(2).find((argument) => !argument.startsWith("--")) ?? "";
  const start = performance.now();
  const workshop = await openWorkshop(await cpuDevice({ threads: 1 }));
  const known = await readFixtures(fixtures);
  const references = new Map([...known.references].filter(([name]) => cases[name]));
  let failed = 0;

  /** What we trained and saved, loaded by the library: logits of the first row. */
  const returns = async ({ base }: MethodCase, { saved, logits }: Apart): Promise<string[]> => {
    const question = { do: "logits", base: workshop.base(base), adapter: saved, ids: [batches[0]!.ids[0]] };
    const answer = (await python.ask(question)) as { logits: number[][][] };
    const far = Math.max(...answer.logits[0]!.flatMap((line, i) => line.map((x, k) => Math.abs(x - logits[i]![k]!))));
    return far < 1e-4 ? [] : [`what we saved gives the library logits that are ${far} away`];
  };
  /** The committed fixtures against what the library says today. */
  const drift = (before: Reference | undefined, now: Reference): string[] => {
    if (!before || write) return [];
    const { name, far } = worst(distances(before.sgd.tensors, now.sgd.tensors));
    return far < 1e-4
      ? []
      : [`the fixture is ${far} from what the library says now (${name}): run with --write, and look at the difference`];
  };

  try {
    const versions = (await python.ask({ do: "versions" })) as Record<string, string>;
    console.log(
      Object.entries(versions)
        .map((pair) => pair.join(" "))
        .join(", "),
    );
    for (const [name, one] of Object.entries(cases)) {
      if (!name.includes(text)) continue;
      const out = `${workshop.folder}/theirs/${name.replaceAll(/\W+/g, "-")}`;
      mkdirSync(out, { recursive: true });
      try {
        const reference = await askLibrary(python.ask, workshop.base(one.base), one, out);
        references.set(name, { asked: one, reference });
        const apart = await compare(name, one, reference, workshop);
        const wrong = [...complaints(apart), ...drift(known.references.get(name)?.reference, reference)];
        if (reference.config) wrong.push(...(await returns(one, apart)));
        failed += wrong.length ? 1 : 0;
        console.log(`${row(name, apart)}${wrong.map((line) => `\n    ${line}`).join("")}`);
      } catch (error) {
        failed++;
        console.log(`${name.padEnd(48)} ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    if (write) await writeFixtures({ versions, references }, fixtures);
  } finally {
    python.close();
    workshop.close();
  }
  console.log(`${failed ? `${failed} differ` : "all agree"}, ${((performance.now() - start) / 1000).toFixed(0)} s`);
  process.exit(failed && !write ? 1 : 0);
};
