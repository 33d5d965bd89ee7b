// Every method beside PEFT, from the committed answers of PEFT: first gradients, losses, trained tensors, counts, file sizes. Where
// Python has the libraries, what we trained and saved goes back to PEFT. Planted mistakes show that the comparison sees them.

import { std } from "../../../cli/embedded/std.ts";
import { cpuDevice } from "../../../runtime/devices/cpu.ts";
import { assert, group } from "../../harness.ts";
import { openPython, pythonMissing } from "../python.ts";
import { batches } from "./case.ts";
import { cases } from "./cases.ts";
import { type Apart, compare, openWorkshop, sizeOf, type Workshop } from "./compare.ts";
import { faults } from "./faults.ts";
import { complaints } from "./judge.ts";
import { readFixtures } from "./reference.ts";

let opened: Promise<Workshop> | undefined;
const workshop = (): Promise<Workshop> => (opened ??= cpuDevice({ threads: 1 }).then(openWorkshop));
const fixtures = await readFixtures();
const computed = new Map<string, Apart>();

group("methods", (test) => {
  for (const [name, one] of Object.entries(cases))
    test(`as PEFT computes it: ${name}`, async () => {
      const known = fixtures.references.get(name);
      assert.ok(known, `no answer of PEFT's for it: npm run parity -- --write "${name}"`);
      assert.equal(known.asked, JSON.parse(JSON.stringify(one)), `the case was changed: npm run parity -- --write "${name}"`);
      const apart = await compare(name, one, known.reference, await workshop());
      computed.set(name, apart);
      assert.equal(complaints(apart), []);
      assert.is(sizeOf(apart.saved), apart.planned, "the file is not as large as planned");
    });

  for (const { name, of, file, from, to } of faults)
    test(`a planted mistake is seen: ${name}`, async () => {
      const path = `methods/${file}.peft`;
      const text = std.get(path) ?? "";
      assert.ok(text.includes(from), `${path} has no \`${from}\``);
      const { reference } = fixtures.references.get(of)!;
      const library = new Map(std).set(path, text.replace(from, to));
      const found = complaints(await compare(of, cases[of]!, reference, await workshop(), library));
      assert.ok(found.length > 0, "nothing complained");
    });

  test(
    "what was trained and saved here gives PEFT the same logits",
    async () => {
      const python = openPython("methods/methods.py");
      try {
        const { base } = await workshop();
        for (const [name, apart] of computed) {
          if ("train" in cases[name]!.config) continue;
          const question = { do: "logits", base: base(cases[name]!.base), adapter: apart.saved, ids: [batches[0]!.ids[0]] };
          const { logits } = (await python.ask(question)) as { logits: number[][][] };
          const far = Math.max(...logits[0]!.flatMap((line, i) => line.map((x, k) => Math.abs(x - apart.logits[i]![k]!))));
          assert.ok(far < 1e-4, `${name}: logits ${far} apart`);
        }
      } finally {
        python.close();
      }
    },
    { skip: pythonMissing },
  );

  test("the temporary folder is removed", async () => {
    (await workshop()).close();
    assert.ok(computed.size > 0, "nothing was compared");
  });
});
