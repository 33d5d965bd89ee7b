// What other programs read: SARIF against its own schema, GitHub's annotations, JSON; and how many files, folders and globs are taken.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import Ajv from "ajv-draft-04";
import { assert, group } from "../harness.ts";
import { readCase } from "../mistakes/case.ts";
import { makeWorld } from "../mistakes/world.ts";
import { peftIn } from "./peft-in.ts";

/** The OASIS schema of SARIF 2.1.0, as a package of its authors carries it. */
const schema = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve("@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"), "utf8"),
) as object;
const valid = new Ajv({ strict: false, validateFormats: false, allErrors: true, unicodeRegExp: false }).compile(schema);

const wrong = `// row: OWN
// what: outputs
// expect: clean

peft 1
base tiny = checkpoint("base/")
adapter menu = lora(lora_r: 4) into tiny.layers.*.attn.{q_proj, v}
data orders { train = jsonl("train.jsonl")  prompt = "{slp}\\n"  answer = "{text}" }
train menu on orders { optimizer: adamw(learning_rate: 2e-4)  steps: 2  steps: 3 }
import "./name with spaces, and : more.peft"
`;

const inWorld = async (body: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await makeWorld(readCase("outputs", wrong));
  try {
    writeFileSync(join(folder, "name with spaces, and : more.peft"), "peft 1\n\nmethod é() amends Linear { weight = base.wight }\n");
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

interface Sarif {
  readonly runs: readonly [
    {
      readonly results: readonly { readonly ruleId: string; readonly ruleIndex: number; readonly fixes?: unknown }[];
      readonly tool: { readonly driver: { readonly rules: readonly { readonly id: string }[] } };
    },
  ];
}

group("outputs", (test) => {
  test("SARIF keeps to its schema, with places in several files, notes and fixes; one that does not is noticed", () =>
    inWorld(async (folder) => {
      const { out } = await peftIn(folder, "check . --format sarif");
      const log = JSON.parse(out) as Sarif;
      assert.ok(valid(log), JSON.stringify(valid.errors?.slice(0, 3)));
      const [{ results, tool }] = log.runs;
      assert.ok(results.length >= 5);
      assert.ok(results.some(({ fixes }) => fixes));
      for (const { ruleId, ruleIndex } of results) assert.is(tool.driver.rules[ruleIndex]!.id, ruleId);
      assert.not.ok(valid({ ...log, version: "2.0.0" }));
      assert.not.ok(valid({ ...log, runs: [{ ...log.runs[0], results: [{ level: "fatal" }] }] }));
    }));

  test("a clean run is valid SARIF too, and every format agrees on what was found", () =>
    inWorld(async (folder) => {
      writeFileSync(join(folder, "clean.peft"), "peft 1\n\nimport { lora } from std.methods\n");
      const clean = await peftIn(folder, "check clean.peft --format sarif");
      assert.is(clean.code, 0);
      assert.ok(valid(JSON.parse(clean.out)));
      const count = async (format: string, pattern: RegExp): Promise<number> =>
        ((await peftIn(folder, `check main.peft --format ${format}`)).out.match(pattern) ?? []).length;
      const [text, json, github, sarif] = [
        await count("text", /^(error|warning)\[/gm),
        await count("json", /^ {6}"code": /gm),
        await count("github", /^::(error|warning) /gm),
        await count("sarif", /"ruleId": /g),
      ];
      assert.ok(text > 3);
      assert.equal([json, github, sarif], [text, text, text]);
    }));

  test("folders, globs and standard input; each file once; `--deny warnings`; exit codes", () =>
    inWorld(async (folder) => {
      const files = async (names: string, stdin?: string): Promise<readonly string[]> =>
        (JSON.parse((await peftIn(folder, `check ${names} --json`, stdin)).out) as { files: readonly string[] }).files;
      writeFileSync(join(folder, "one.peft"), 'peft 1\ndata rows { train = text("train.jsonl")  answer = "constant" }\n');
      writeFileSync(join(folder, "two.peft"), "peft 1\n");
      assert.equal(await files("{one,two}.peft"), ["one.peft", "two.peft"]);
      assert.equal(await files("one.peft t*.peft ./one.peft"), ["one.peft", "two.peft"]);
      assert.ok((await files(".")).length === 4);
      assert.equal(await files("-", "peft 1\n"), ["<stdin>"]);
      assert.is((await peftIn(folder, "check one.peft")).code, 0);
      assert.is((await peftIn(folder, "check one.peft --deny warnings")).code, 1);
      assert.is((await peftIn(folder, "check main.peft")).code, 1);
      assert.is((await peftIn(folder, "check main.peft --formt text")).code, 2);
    }));
});
