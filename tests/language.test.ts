// The specification runs: every ```peft check block is compiled beside a small base, and gives the diagnostic it names, or none.

import { readdirSync, readFileSync } from "node:fs";
import { compile } from "../compiler/compile.ts";
import { llamaConfig, memoryHost } from "./compiler/support.ts";
import { assert, group } from "./harness.ts";

const folder = new URL("../spec/language/", import.meta.url);

group("specification", (test) => {
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".md"))
    .sort()) {
    const page = readFileSync(new URL(file, folder), "utf8");
    for (const [i, [, wanted = "", text = ""]] of [...page.matchAll(/^```peft check ?(PEFT\d{4})?\n([\s\S]*?)^```/gm)].entries())
      test(`${file}, block ${i + 1}: ${wanted || "clean"}`, async () => {
        const host = memoryHost({ "main.peft": text, "base/config.json": JSON.stringify(llamaConfig) });
        const { diagnostics } = await compile({ file: "main.peft", goal: "check" }, host);
        const codes = diagnostics.map((diagnostic) => diagnostic.code);
        const shown = diagnostics.map((d) => `${d.code} ${d.message} ${d.notes.map((note) => note.message).join("; ")}`).join("\n");
        if (wanted) assert.ok(codes.includes(wanted) && new Set(codes).size === 1, shown || "nothing was found");
        else assert.equal(codes, [], shown);
      });
  }
  test("rules are numbered and never doubled", () => {
    const rules = readdirSync(folder).flatMap((name) =>
      [...readFileSync(new URL(name, folder), "utf8").matchAll(/^## ([A-Z]\d+)\. /gm)].map(([, rule]) => rule),
    );
    assert.ok(rules.length >= 20);
    assert.is(new Set(rules).size, rules.length);
  });
});
