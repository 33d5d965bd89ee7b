// `peft import` as a person sees it, and the pages of its diagnostics, executed.

import { pages } from "../../cli/embedded/pages.ts";
import { peft } from "../cli/run-cli.ts";
import { assert, group } from "../harness.ts";

const yaml =
  "base_model: models/tiny\nmicro_batch_size: 4\ngradient_accumulation_steps: 1\nlearning_rate: 2e-4\nneftune_noise_alpha: 5\nlr_schedular: x\n";

group("peft import", (test) => {
  test("writes a file, says where keys went, and what comes next", async () => {
    const { code, out, file } = await peft("import a.yml", { files: { "a.yml": yaml } });
    assert.is(code, 0);
    assert.match(out, "wrote a.peft from a.yml (Axolotl): 4 carried\n");
    assert.match(out, "1 not carried\n  a.yml:5  neftune_noise_alpha: 5\n");
    assert.match(out, "1 ignored by Axolotl itself\n  a.yml:6  lr_schedular: x\n");
    assert.match(out, "next: peft check a.peft");
    assert.match(file("a.peft")!, "peft 1\n");
  });

  test("replaces nothing, writes to standard output, names an adapter's file after its folder", async () => {
    const kept = await peft("import a.yml", { files: { "a.yml": yaml, "a.peft": "mine" } });
    assert.is(kept.code, 1);
    assert.match(kept.err, "PEFT0908");
    assert.is(kept.file("a.peft"), "mine");
    const piped = await peft("import a.yml -o -", { files: { "a.yml": yaml } });
    assert.match(piped.out, /^\/\/ From a\.yml/);
    const named = await peft("import menu/adapter_config.json", {
      files: { "menu/adapter_config.json": '{"peft_type":"LORA","target_modules":["q_proj"]}' },
    });
    assert.ok(named.file("menu.peft"));
  });

  test("many files: into a folder, or only counted", async () => {
    const files = { "in/a.yml": yaml, "in/b.yml": yaml.replace(/neftune[\s\S]*/, ""), "in/ds.json": '{"zero_optimization": {}}' };
    const survey = await peft("import in --dry-run", { files });
    assert.is(survey.code, 0);
    assert.match(survey.out, "1 of 2 files import whole; 1 are no pipelines");
    assert.match(survey.out, /1 {2}neftune_noise_alpha: nothing here does what it does/);
    const into = await peft("import in/a.yml in/b.yml -o out", { files });
    assert.is(into.code, 0);
    assert.ok(into.file("out/a.peft") && into.file("out/b.peft"));
    const nowhere = await peft("import in/a.yml in/b.yml", { files });
    assert.is(nowhere.code, 1);
    assert.match(nowhere.err, "or --dry-run");
  });

  test("for machines: every key with its fate; annotations in CI, where a loss may fail", async () => {
    const files = { "a.yml": yaml };
    const { out } = await peft("import a.yml --dry-run --json", { files });
    const [one] = JSON.parse(out).files;
    assert.is(one.whole, false);
    assert.equal(
      one.keys.find(({ key }: { key: string }) => key === "neftune_noise_alpha"),
      { key: "neftune_noise_alpha", value: 5, fate: "lost", says: "nothing here does what it does" },
    );
    const github = await peft("import a.yml --dry-run --format github", { files });
    assert.match(github.out, "::warning file=a.yml,line=5,");
    assert.is(github.code, 0);
    assert.is((await peft("import a.yml --dry-run --format github --deny warnings", { files })).code, 1);
    assert.is((await peft("import a.yml --dry-run --deny warnings", { files })).code, 1);
  });

  test("a damaged file, a text, nothing: said, with the place", async () => {
    for (const text of [
      "a: [1",
      "a: b: c",
      "- 1\n- 2\n",
      "",
      "\u0000\u0001",
      "just words",
      `${"[".repeat(3000)}`,
      "a: &a [*a]\nbase_model: *b\n",
    ]) {
      const { code, err, out } = await peft("import a.yml --dry-run", { files: { "a.yml": text } });
      assert.is(code, 1, JSON.stringify(text.slice(0, 20)));
      assert.match(err + out, /PEFT057[34]/);
    }
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghi"
      .split("")
      .map((name, i) => `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(",")}]`)
      .join("\n")}\nbase_model: *i\n`;
    assert.is((await peft("import a.yml --dry-run", { files: { "a.yml": bomb } })).code, 1);
  });

  for (const code of ["PEFT0573", "PEFT0574", "PEFT0575", "PEFT0576"])
    test(`${code} is said of what its page calls wrong, and not of what it calls right`, async () => {
      const block = (heading: string): string =>
        new RegExp(`^## ${heading}\\n+\`\`\`yaml\\n([\\s\\S]*?)^\`\`\``, "m").exec(pages.get(code)!)![1]!;
      const of = async (text: string): Promise<string> => {
        const { out, err } = await peft("import a.yml --dry-run --format github", { files: { "a.yml": text } });
        return out + err;
      };
      assert.match(await of(block("Wrong")), code);
      assert.not.match(await of(block("Right")), code);
    });
});
