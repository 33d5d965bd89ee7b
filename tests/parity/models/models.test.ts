// Every architecture beside transformers, on checkpoints whose numbers follow from their names (fixtures/, made by make.ts), and each
// comparison shown to see a planted mistake.

import { readFileSync } from "node:fs";
import { std } from "../../../cli/embedded/std.ts";
import { assert, group } from "../../harness.ts";
import { cases } from "./cases.ts";
import { compare, type Theirs, verdict } from "./compare.ts";
import { faults, loraFaults } from "./faults.ts";
import { compareLora } from "./lora.ts";

const fixture = (name: string): Theirs => JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), "utf8")) as Theirs;

group("models", (test) => {
  for (const one of cases)
    test(one.name, async () => {
      const theirs = fixture(one.name);
      assert.is(verdict(one, theirs, await compare(one, theirs)), undefined);
    });

  for (const one of cases)
    test(`${one.name}: a step of LoRA is PEFT's, and what is saved is read again`, async () => {
      assert.is(await compareLora(one, fixture(one.name)), undefined);
    });

  test("every case has a mistake that it sees", () => {
    const seen = new Set(faults.map((fault) => fault.case));
    assert.equal(
      cases.filter(({ name }) => !seen.has(name)).map(({ name }) => name),
      [],
    );
  });

  for (const { title, case: name, file, from, to, says } of loraFaults)
    test(`LoRA: ${title} is seen (${name})`, async () => {
      const text = std.get(file)!;
      assert.ok(text.includes(from), `${file} has no ${from}`);
      const one = cases.find((candidate) => candidate.name === name)!;
      assert.match((await compareLora(one, fixture(name), new Map(std).set(file, text.replace(from, to)))) ?? "nothing", says);
    });

  for (const { title, case: name, file, from, to } of faults)
    test(`${title} is seen (${name})`, async () => {
      const text = std.get(file)!;
      assert.ok(text.includes(from), `${file} has no ${from}`);
      const one = cases.find((candidate) => candidate.name === name)!;
      const { logits } = await compare(one, fixture(name), new Map(std).set(file, text.replace(from, to)));
      assert.ok(logits > 3e-4, `the logits are only ${logits} standard deviations apart`);
    });
});
