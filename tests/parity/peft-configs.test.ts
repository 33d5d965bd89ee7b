// The table of PEFT's configurations that `peft import` reads, against the library itself: every type, every key, every default.
// `UPDATE=1 npm test -- "peft configs"` writes the table anew.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { peftConfigs, peftVersion } from "../../cli/import/peft-configs.generated.ts";
import { assert, group } from "../harness.ts";
import { python, pythonMissing } from "./python.ts";

const path = fileURLToPath(new URL("../../cli/import/peft-configs.generated.ts", import.meta.url));

group("peft configs", (test) => {
  test(
    "the table has every key of every configuration class, with its default",
    async () => {
      const { version, configs } = (await python("peft_configs.py", {})) as { version: string; configs: Record<string, unknown> };
      if (process.env.UPDATE) {
        const lines = Object.entries(configs).map(([type, config]) => `  ${type}: ${JSON.stringify(config)},`);
        const text = readFileSync(path, "utf8").replace(
          /(= \{\n)[\s\S]*(\n\};)/,
          (_, head: string, tail: string) => `${head}${lines.join("\n")}${tail}`,
        );
        writeFileSync(path, text.replaceAll(peftVersion, version));
        return;
      }
      if (version !== peftVersion)
        return assert.ok(Object.keys(configs).length > 20, `the installed peft is ${version}; the table is of ${peftVersion}`);
      assert.equal(configs, peftConfigs);
    },
    { skip: pythonMissing },
  );
});
