// What `plan` says of the settings that PEFT's own benchmark uses, over its base of three billion parameters: trained parameters, file size and
// every tensor's name and shape equal PEFT's, which counted on the meta device (`npm run parity:counts`).

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { isDeepStrictEqual } from "node:util";
import { compileHost } from "../../../cli/compile-host.ts";
import { adapterFiles } from "../../../compiler/adapters/adapter-files.ts";
import { adapterFileBytes, storedShape } from "../../../compiler/check/facts.ts";
import { compile } from "../../../compiler/compile.ts";
import { assert, group } from "../../harness.ts";
import { importText } from "../../import/support.ts";
import { base, type Count, type Counts, fixture, settings, settingsMissing } from "./settings.ts";

const { counts } = JSON.parse(readFileSync(fixture, "utf8")) as Counts;

/** Where we differ, and why: it goes when that is mended. */
const known: Readonly<Record<string, string>> = {
  "trainable_tokens/llama-3.2-3B-sos+eos": "over a tied embedding PEFT changes the head too, and stores the same rows twice",
};

/** Ours of a configuration; why there is none otherwise. */
const countOf = async (config: Readonly<Record<string, unknown>>, folder: string): Promise<Count | string> => {
  const { text, outcomes } = importText(JSON.stringify({ ...config, base_model_name_or_path: "base" }));
  const kind = outcomes.find(({ given }) => given.name === "peft_type");
  if (!/^adapter tuned/m.test(text)) return kind?.says ?? `no method is ${String(config.peft_type)}`;
  // How the first values of low-rank factors are computed has no bearing on what is stored. Layers that are counted are counted here too.
  const lost = outcomes.filter(({ fate, given }) => fate === "lost" && !/^(init_lora_weights|adapter_layers)$/.test(given.name));
  if (lost.length > 0) return `not carried: ${lost.map(({ given }) => given.name).join(", ")}`;
  const file = `${folder}/given.peft`;
  const host = compileHost(new Map([[file, text.replace("checkpoint(", "blank(")]]));
  const { checked, diagnostics } = await compile({ file, goal: "check" }, host);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0 || !checked) return errors.map(({ code, message }) => `${code} ${message}`).join("; ");
  const plan = checked.adapters.get("tuned")!;
  const files = adapterFiles(plan, checked.base.root, { report: () => {}, through: [] });
  if (files.library !== "peft") return "stored in this project's own layout";
  const shapes = new Map(plan.params.map((param) => [param.name, param.shape.map(Number)] as const));
  const lines = files.tensors.map((tensor) => `${tensor.key} [${storedShape(tensor, shapes).join(", ")}]`).sort();
  return {
    trainable: plan.trainable,
    bytes: adapterFileBytes(files, shapes),
    tensors: createHash("sha256").update(lines.join("\n")).digest("hex").slice(0, 16),
  };
};

group("counts", (test) => {
  test(
    "every setting of PEFT's benchmark that is carried trains as many parameters, in tensors of the same names and shapes, in a file as large",
    async () => {
      const folder = mkdtempSync(`${tmpdir()}/peft-counts-`);
      try {
        mkdirSync(`${folder}/base`);
        writeFileSync(`${folder}/base/config.json`, JSON.stringify(base));
        const left = new Map<string, string>();
        const differing: string[] = [];
        let equal = 0;
        for (const [name, config] of settings()) {
          const theirs = counts[name];
          assert.ok(theirs, `${name} is not in the fixture: npm run parity:counts`);
          const { chosen, ...counted } = "refused" in theirs ? { chosen: {} } : theirs;
          const ours = await countOf({ ...config, ...chosen }, folder);
          if (typeof ours === "string") left.set(name, ours);
          else if ("refused" in theirs) left.set(name, `PEFT cannot count it: ${theirs.refused}`);
          else if (isDeepStrictEqual(ours, counted)) {
            assert.not.ok(known[name], `${name} is equal now: take it out of the known differences`);
            equal++;
          } else if (known[name]) left.set(name, known[name]);
          else differing.push(`${name}: ${JSON.stringify(ours)}, PEFT says ${JSON.stringify(counted)}`);
        }
        if (process.env.SHOW) for (const [name, why] of left) console.log(`${name}: ${why}`);
        assert.equal(differing, []);
        assert.ok(equal >= 20, `${equal} are equal, ${left.size} not compared`);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    { skip: settingsMissing },
  );
});
