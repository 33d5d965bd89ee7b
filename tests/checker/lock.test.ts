// The lock file: what it holds, what it stands in for, and that every change of what it was written from is seen.

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expandTensors, foldTensors } from "../../cli/lock-tensors.ts";
import { lockProblem } from "../../cli/validate-lock.ts";
import type { StoredTensor } from "../../compiler/host.ts";
import type { Lock } from "../../spec/lock.ts";
import { assert, group } from "../harness.ts";
import { readCase } from "../mistakes/case.ts";
import { makeWorld } from "../mistakes/world.ts";
import { peftIn } from "./peft-in.ts";

const pipeline = `// row: OWN
// what: a lock
// expect: clean

peft 1
base tiny = checkpoint("base/")
adapter menu = lora(r: 4) into tiny.layers.*.attn.{q, v}
data orders { train = jsonl("train.jsonl")  eval = jsonl("eval.jsonl")  prompt = "{slip}\\n"  answer = "{text}" }
train menu on orders { optimizer: adamw(learning_rate: 2e-4)  epochs: 3  micro_batch_size: 2  sequence_len: 32 }
require { truncated(train menu) <= 0%  masked(train menu) <= 70%  steps(train menu) == 6 }
`;

/** A folder with a lock, given to `body`. */
const locked = async (body: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await makeWorld(readCase("lock", pipeline));
  try {
    const { code, err } = await peftIn(folder, "plan --lock main.peft");
    assert.is(code, 0, err);
    assert.match(err, "wrote main.peft.lock");
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const codes = async (folder: string, command = "check main.peft"): Promise<readonly string[]> => {
  const { out } = await peftIn(folder, `${command} --format json`);
  return (JSON.parse(out) as { diagnostics: { code: string }[] }).diagnostics.map(({ code }) => code);
};

const tensors = (entries: readonly (readonly [string, string, readonly number[]])[]): ReadonlyMap<string, StoredTensor> =>
  new Map(entries.map(([name, raw, shape]) => [name, { dtype: raw === "F16" ? "f16" : "f32", raw, shape }]));

group("lock", (test) => {
  test("keeps to its schema, and the same things give the same bytes", () =>
    locked(async (folder) => {
      const first = readFileSync(join(folder, "main.peft.lock"), "utf8");
      const lock = JSON.parse(first) as Lock;
      assert.is(lockProblem(lock), undefined);
      assert.is(lock.rows["train menu"]!.rows, 3);
      assert.equal(lock.data["orders.train"]!.columns, ["slip", "text"]);
      assert.is(lock.base.tensors!["model.layers.{0..3}.self_attn.q_proj.weight"], "F32 [32, 32]");
      await peftIn(folder, "plan --lock main.peft");
      assert.is(readFileSync(join(folder, "main.peft.lock"), "utf8"), first);
    }));

  test("a machine with neither model nor data checks the same file, budgets over the data included", () =>
    locked(async (folder) => {
      const away = join(folder, "away");
      mkdirSync(away);
      for (const file of ["main.peft", "main.peft.lock"]) cpSync(join(folder, file), join(away, file));
      assert.equal(await codes(away), []);
      const plan = async (where: string): Promise<unknown> => JSON.parse((await peftIn(where, "plan main.peft --json")).out);
      assert.equal(await plan(away), await plan(folder));
      const text = readFileSync(join(away, "main.peft"), "utf8");
      const expected: readonly [string, string, readonly string[]][] = [
        ["{q, v}", "{q_proj, v}", ["PEFT0312"]],
        ["{slip}", "{slp}", ["PEFT0567", "PEFT0567", "PEFT0613"]], // the counts follow from the template, too
        ["<= 70%", "<= 10%", ["PEFT0324"]],
        ["== 6", "== 7", ["PEFT0324"]],
      ];
      for (const [from, to, wanted] of expected) {
        writeFileSync(join(away, "main.peft"), text.replace(from, to));
        assert.equal([...(await codes(away))].filter((code) => code !== "PEFT0537").sort(), wanted, `${from} -> ${to}`);
      }
    }));

  const changes: readonly [string, string, (text: string) => string][] = [
    ["config.json", "base/config.json", (text) => text.replace("}", ', "extra": 1}')],
    ["tokenizer.json", "base/tokenizer.json", (text) => `${text} `],
    ["the tokenizer's settings", "base/tokenizer_config.json", (text) => `${text} `],
    ["a data file", "train.jsonl", (text) => text.replace("soup", "sole")],
    ["a data file's size", "eval.jsonl", (text) => `${text}{"slip": "x", "text": "y"}\n`],
  ];
  for (const [what, file, change] of changes)
    test(`a change of ${what} is drift, at its place in the file, and a new lock takes it`, () =>
      locked(async (folder) => {
        writeFileSync(join(folder, file), change(readFileSync(join(folder, file), "utf8")));
        const { out, code } = await peftIn(folder, "check main.peft");
        assert.is(code, 1);
        assert.match(out, "[PEFT0613]");
        assert.match(out, `${file} is not what`);
        assert.match(out, /--> main\.peft:\d+/);
        await peftIn(folder, "plan --lock main.peft");
        assert.equal((await codes(folder)).includes("PEFT0613"), false);
      }));

  test("a chat template that changes, or comes, is drift", () =>
    locked(async (folder) => {
      writeFileSync(join(folder, "base/chat_template.jinja"), "{{ messages }}");
      assert.match((await peftIn(folder, "check main.peft")).out, "base/chat_template.jinja is not what");
      const talk = '{"messages": [{"role": "user", "content": "1 soup"}, {"role": "assistant", "content": "One soup."}]}\n';
      writeFileSync(join(folder, "talk.jsonl"), talk);
      const template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% if m.role == 'assistant' %}</s>{% endif %}{% endfor %}";
      writeFileSync(join(folder, "own.jinja"), template);
      const path = join(folder, "main.peft");
      writeFileSync(
        path,
        `${readFileSync(path, "utf8")}data talk { eval = jsonl("talk.jsonl")  chat = messages("messages", template: "own.jinja") }\nevaluate tiny on talk.eval\n`,
      );
      await peftIn(folder, "plan --lock main.peft");
      assert.equal((await codes(folder)).includes("PEFT0613"), false);
      writeFileSync(join(folder, "own.jinja"), template.replace("[", "<"));
      const { out } = await peftIn(folder, "check main.peft");
      assert.match(out, "own.jinja is not what");
      assert.match(out, /--> main\.peft:\d+/);
    }));

  test("a change of the weights' header is drift", () =>
    locked(async (folder) => {
      const path = join(folder, "base/model.safetensors");
      const bytes = readFileSync(path);
      const length = Number(bytes.readBigUInt64LE(0));
      const header = bytes
        .subarray(8, 8 + length)
        .toString()
        .replace('"F32"', '"I32"');
      writeFileSync(path, Buffer.concat([bytes.subarray(0, 8), Buffer.from(header), bytes.subarray(8 + length)]));
      const { out } = await peftIn(folder, "check main.peft");
      assert.match(out, "the header of the weights in base/");
    }));

  test("what a block's counts follow from is a part of the lock", () =>
    locked(async (folder) => {
      const path = join(folder, "main.peft");
      writeFileSync(path, readFileSync(path, "utf8").replace("sequence_len: 32", "sequence_len: 30"));
      assert.ok((await codes(folder)).includes("PEFT0613"));
    }));

  test("a lock file that is none", () =>
    locked(async (folder) => {
      for (const text of ["<<<<<<< HEAD\n{}", "{}", '{"format": "peft-lock/2"}']) {
        writeFileSync(join(folder, "main.peft.lock"), text);
        assert.ok((await codes(folder)).includes("PEFT0614"), text);
      }
    }));

  test("tensors fold to lines and come back, whatever their names", () => {
    const entries: (readonly [string, string, readonly number[]])[] = [
      ["wte", "F32", [5, 4]],
      ["h.0.w", "F16", [4]],
      ["h.1.w", "F16", [4]],
      ["h.2.w", "F32", [4]],
      ["h.4.w", "F16", [4]],
      ["h.007.w", "F16", [4]],
      ["odd{1..2}.3.w", "F32", []],
      ["last.9", "F32", [1]],
    ];
    for (let layer = 0; layer < 80; layer++) entries.push([`model.layers.${layer}.q.weight`, "BF16", [8192, 8192]]);
    const all = tensors(entries.map(([name, raw, shape]) => [name, raw, shape]));
    const folded = foldTensors(all);
    assert.is(folded["model.layers.{0..79}.q.weight"], "BF16 [8192, 8192]");
    assert.is(folded["h.{0,1,4}.w"], "F16 [4]");
    assert.ok(Object.keys(folded).length < 10);
    const back = expandTensors(folded)!;
    assert.equal([...back.keys()].sort(), [...all.keys()].sort());
    for (const [name, { raw, shape }] of all) assert.equal([back.get(name)!.raw, back.get(name)!.shape], [raw, shape], name);
    assert.is(expandTensors({ "a.b": "F32" }), undefined);
  });
});
