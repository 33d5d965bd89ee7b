// Every pipeline and every configuration that other projects publish: each is imported or refused with a reason, what is written is
// formatted, and where its base is absent `check` says that and nothing else.

import { readdirSync, readFileSync } from "node:fs";
import { compileHost } from "../../cli/compile-host.ts";
import { importFile } from "../../cli/import/import-file.ts";
import { compile } from "../../compiler/compile.ts";
import { format } from "../../grammar/format.ts";
import { parse } from "../../grammar/parse.ts";
import { assert, group } from "../harness.ts";
import { shared, without } from "../runtime/shared.ts";
import { libraryWith } from "./support.ts";

const folders = ["pipelines/axolotl", "pipelines/llama-factory", "adapter-configs", "adapters"];

group("import of published files", (test) => {
  const library = libraryWith();
  for (const folder of folders)
    test(
      folder,
      async () => {
        const files = readdirSync(shared(folder), { recursive: true, encoding: "utf8" }).filter((file) => /\.(ya?ml|json)$/.test(file));
        let imported = 0;
        for (const file of files) {
          const path = shared(`${folder}/${file}`);
          const made = importFile({ text: readFileSync(path, "utf8"), file, library, read: () => undefined });
          if ("diagnostics" in made) {
            assert.ok(made.diagnostics.length > 0, `${file} is refused without a reason`);
            continue;
          }
          imported++;
          const keys = made.outcomes.filter(({ given }) => !given.name.includes("."));
          const top = [...readFileSync(path, "utf8").matchAll(/^(?: {2}")?([A-Za-z]\w*)"?:/gm)].map(([, key]) => key!);
          for (const key of new Set(file.endsWith(".json") ? [] : top))
            assert.ok(
              keys.some(({ given }) => given.name === key),
              `${file}: nothing is said of ${key}`,
            );
          const { file: tree, diagnostics: wrong } = parse(made.text, "x.peft");
          assert.equal(wrong, [], file);
          assert.is(format(tree, made.text), made.text, `${file} is not formatted`);
          const { diagnostics } = await compile(
            { file: "/nowhere/x.peft", goal: "check" },
            compileHost(new Map([["/nowhere/x.peft", made.text]]), "/nowhere"),
          );
          assert.equal(
            diagnostics.map(({ code, message }) => `${code} ${message}`).filter((line) => !line.startsWith("PEFT0340")),
            [],
            `${file}:\n${made.text}`,
          );
          assert.is(diagnostics.length, 1, file);
        }
        assert.ok(imported > 0, "nothing was imported");
      },
      { skip: without(folder) },
    );
});
