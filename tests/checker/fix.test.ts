// `peft check --fix`: files are mended as a person would, what cannot be mended is left and said, and a fix that does not help goes.

import { applyFixes } from "../../cli/fix.ts";
import type { Diagnostic } from "../../spec/diagnostic.ts";
import { peft } from "../cli/run-cli.ts";
import { llamaConfig } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";

const base = { "base/config.json": JSON.stringify(llamaConfig) };

const wrong = `peft 1
base tiny = blnk("base/")
adapter menu = lorra(lora_r: 8, scale: 20) into tny.layers.*.attn.{q_proj, v}
data orders { trian: text("rows.txt")  answer: "{tex}"  train_on_inputs = false }
train menu on orders {
  optimizer: adamw(lr: "2e-4")
  lr_scheduler_type: cosine
  num_train_epochs: 3
  save_steps: 200
}
evaluate menu on orders.trian { metrics: [los] }
require { trainble(menu) <= 90%  memory(menu) <= 1 GiB }
`;

const right = `peft 1
base tiny = blank("base/")
adapter menu = lora(r: 8, alpha: 160) into tiny.layers.*.attn.{q, v}
data orders { train = text("rows.txt")  answer = "{text}"  loss_on = answer }
train menu on orders {
  optimizer: adamw(learning_rate: 2e-4)
  schedule: cosine()
  epochs: 3
  checkpoint: every 200 steps
}
evaluate menu on orders.train { metrics: [loss] }
require { trainable(menu) <= 90%  memory(train menu) <= 1 GiB }
`;

group("fix", (test) => {
  test("a file full of slips and other tools' keys becomes a clean one", async () => {
    const files = { ...base, "main.peft": wrong.replaceAll("trian", "train"), "rows.txt": "One soup.\n" };
    const { code, out, file } = await peft("check --fix main.peft", { files });
    assert.is(file("main.peft"), right);
    assert.is(code, 0, out);
    assert.match(out, "fixed main.peft:3: write `alpha: 160`");
    assert.match(out, "no problems in 1 file");
  });

  test("what has no fix is left as it is and said", async () => {
    const text = right.replace("  epochs: 3\n", "").replace("[loss]", "[elephant]");
    const { code, out, file } = await peft("check --fix main.peft", { files: { ...base, "main.peft": text, "rows.txt": "a\n" } });
    assert.is(file("main.peft"), text);
    assert.is(code, 1);
    assert.match(out, "[PEFT0301]");
    assert.match(out, "[PEFT0321]");
    assert.not.match(out, "fixed");
  });

  test("a clean file is not written, standard input cannot be, and JSON stays JSON", async () => {
    const files = { ...base, "main.peft": right, "rows.txt": "a\n" };
    assert.is((await peft("check --fix main.peft", { files })).file("main.peft"), right);
    assert.match((await peft("check --fix -", { files, stdin: right })).out, "[PEFT0903]");
    const { out, err } = await peft("check --fix main.peft --format json", {
      files: { ...files, "main.peft": right.replace("lora(", "lorra(") },
    });
    assert.is((JSON.parse(out) as { errors: number }).errors, 0);
    assert.match(err, "fixed main.peft:3");
  });

  const at = (start: number, end: number) => ({ file: "f", start, end });
  const found = (code: string, start: number, end: number, insert: string): Diagnostic => ({
    code,
    severity: "error",
    message: `${code} at ${start}`,
    at: at(start, end),
    notes: [],
    fixes: [{ at: at(start, end), insert, title: "" }],
  });

  test("a fix that does not help is taken back, and the others stay", async () => {
    const check = async (text: string): Promise<readonly Diagnostic[]> => [
      ...(text.includes("a") ? [found("PEFT0400", text.indexOf("a"), text.indexOf("a") + 1, "b")] : []),
      found("PEFT0401", 0, 0, "never "),
    ];
    const { text, applied } = await applyFixes("f", "a c", check);
    assert.is(text, "b c");
    assert.is(applied.length, 1);
  });

  test("no fix may make a syntax error, and fixes that feed each other end", async () => {
    const breaks = await applyFixes("f", "x", async (text) =>
      text === "x" ? [found("PEFT0400", 0, 1, "(")] : [{ ...found("PEFT0106", 0, 1, ""), fixes: [] }],
    );
    assert.is(breaks.text, "x");
    let calls = 0;
    const endless = await applyFixes("f", "x", async (text) => {
      calls++;
      return [{ ...found("PEFT0400", 0, 0, "x"), message: `${text.length}` }];
    });
    assert.ok(calls <= 101, `${calls}`);
    assert.is(endless.applied.length, 100);
  });

  test("overlapping fixes are applied one after the other", async () => {
    const check = async (text: string): Promise<readonly Diagnostic[]> => [
      ...(text.includes("abc") ? [{ ...found("PEFT0400", 0, 3, "xyz"), message: "abc" }] : []),
      ...(text.includes("b") ? [{ ...found("PEFT0401", 1, 2, "y"), message: "b" }] : []),
    ];
    assert.is((await applyFixes("f", "abc", check)).text, "xyz");
  });
});
