// docs/ is what the library and the tables say, its links lead somewhere, and what a pipeline may call has a description.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { entries } from "../cli/reference/entries.ts";
import { referencePages } from "../cli/reference/pages.ts";
import { peft } from "./cli/run-cli.ts";
import { assert, group } from "./harness.ts";

const folder = fileURLToPath(new URL("../docs/", import.meta.url));

group("docs", (test) => {
  const pages = referencePages();
  test("every page is as the sources say (npm run docs)", () => {
    for (const [file, text] of pages)
      assert.ok(existsSync(folder + file) && readFileSync(folder + file, "utf8") === text, `docs/${file} is out of date: run npm run docs`);
    const stale = readdirSync(folder).filter((file) => !pages.has(file) && /^<!-- Made from /.test(readFileSync(folder + file, "utf8")));
    assert.equal(stale, [], "pages that nothing makes");
  });

  test("every link leads to a file", () => {
    let links = 0;
    for (const [file, text] of pages)
      for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
        links++;
        assert.ok(existsSync(join(dirname(folder + file), link!)), `docs/${file}: ${link}`);
      }
    assert.ok(links > 100);
  });

  test("what a pipeline may call is described", () => {
    const callable = new Set(["method", "optimizer", "schedule", "format", "architecture", "setting", "metric", "fact", "op"]);
    const silent = entries().filter(({ kind, doc }) => callable.has(kind) && doc.trim() === "");
    assert.equal(
      silent.map(({ kind, name }) => `${kind} ${name}`),
      [],
    );
  });

  test("`peft explain NAME` prints an entry, all that have the name, or the nearest", async () => {
    const { code, out } = await peft("explain lora");
    assert.is(code, 0);
    assert.match(out, /^method lora\(r: int = 8, .*\) amends Linear\n/);
    assert.match(out, "stored as: peft LORA");
    const both = await peft("explain sequence_len");
    assert.match(both.out, "train … { sequence_len: int }");
    assert.match(both.out, "evaluate … { sequence_len: int }");
    const wrong = await peft("explain adamv");
    assert.is(wrong.code, 2);
    assert.match(wrong.err, "did you mean `adamw`?");
  });
});
