// Every pipeline and every configuration that other projects publish: each is imported or refused with a reason, what is written is
// formatted, and where its base is absent `check` says that and nothing else.

import { readdirSync, readFileSync } from "node:fs";
import { compileHost } from "../../cli/compile-host.ts";
import { importFile } from "../../cli/import/import-file.ts";
import { adapterFiles } from "../../compiler/adapters/adapter-files.ts";
import { compile } from "../../compiler/compile.ts";
import { format } from "../../grammar/format.ts";
import { parse } from "../../grammar/parse.ts";
import { assert, group } from "../harness.ts";
import { shared, without } from "../runtime/shared.ts";
import { compiled, importText, libraryWith } from "./support.ts";

const folders = ["pipelines/axolotl", "pipelines/llama-factory", "adapter-configs", "adapters"];

/** How many import whole; what the others lack, `peft import FILE … --dry-run` counts. */
const leastWhole: Readonly<Record<string, number>> = { "pipelines/axolotl": 61, "pipelines/llama-factory": 11, "adapter-configs": 8 };

group("import of published files", (test) => {
  const library = libraryWith();
  for (const folder of folders)
    test(
      folder,
      async () => {
        const files = readdirSync(shared(folder), { recursive: true, encoding: "utf8" }).filter((file) => /\.(ya?ml|json)$/.test(file));
        let imported = 0;
        let whole = 0;
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
            // The base is not there, nor is an adapter that is read in.
            diagnostics.map(({ code, message }) => `${code} ${message}`).filter((line) => !/^PEFT0(340|500)/.test(line)),
            [],
            `${file}:\n${made.text}`,
          );
          assert.is(diagnostics.length, /= load\(/.test(made.text) ? 2 : 1, file);
          if (!made.outcomes.some(({ fate, along }) => (fate === "lost" || fate === "dropped") && along === undefined)) whole++;
        }
        assert.ok(imported > 0, "nothing was imported");
        assert.ok(whole >= (leastWhole[folder] ?? 0), `${whole} of ${imported} are whole`);
      },
      { skip: without(folder) },
    );

  test(
    "PEFT configurations, there and back: what is written exports the keys it was made from",
    async () => {
      const files = readdirSync(shared("adapter-configs"), { recursive: true, encoding: "utf8" }).filter((file) =>
        file.endsWith("adapter_config.json"),
      );
      const types = new Set<string>();
      for (const file of files) {
        const given: Record<string, unknown> = JSON.parse(readFileSync(shared(`adapter-configs/${file}`), "utf8"));
        // The base at hand is small: ranks are cut to what fits it.
        const config = { ...given, base_model_name_or_path: "base", ...(typeof given.r === "number" && given.r > 16 && { r: 16 }) };
        const imported = importText(JSON.stringify(config));
        const carried = new Set(imported.outcomes.filter(({ fate }) => fate === "carried").map(({ given: { name } }) => name));
        if (!/^adapter tuned/m.test(imported.text)) continue;
        const { diagnostics, checked } = await compiled(imported.text, "base");
        if (diagnostics.some(({ code }) => code === "PEFT0423")) continue; // sizes that this small base does not have
        assert.equal(
          diagnostics.map(({ code, message }) => `${code} ${message}`),
          [],
          file,
        );
        const { library, config: exported } = adapterFiles(checked!.adapters.get("tuned")!, checked!.base.root, {
          report: () => {},
          through: [],
        });
        assert.is(library, "peft", file);
        for (const [key, value] of Object.entries(config))
          if (carried.has(key) && key in exported && !["target_modules", "base_model_name_or_path"].includes(key))
            assert.equal(exported[key], value, `${file}: ${key}`);
        types.add(String(given.peft_type));
      }
      assert.ok(types.size >= 10, [...types].join(", "));
    },
    { skip: without("adapter-configs") },
  );
});
