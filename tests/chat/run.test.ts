// A pipeline on conversations from the command line: what is trained on, what an evaluation asks, what `generate` answers.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "../../compiler/compile.ts";
import type { Result } from "../../spec/result.ts";
import { peftIn } from "../checker/peft-in.ts";
import { memoryHost } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";

const base = fileURLToPath(new URL("../../examples/quickstart/base/", import.meta.url));

const template = `{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}{% if m.role == "assistant" %}</s>{% endif %}{{ "\\n" }}{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}`;

const pipeline = `peft 1

base tiny = checkpoint("base/")
adapter menu = lora(r: 2) into tiny.layers.*.attn.q
data talk {
  train = jsonl("talk.jsonl")
  chat = "conversations"
}
data same {
  train = jsonl("same.jsonl")
  prompt = "[user] {slip}\\n[assistant] "
  answer = "{text}"
}
train menu on talk {
  optimizer: adamw(learning_rate: 3e-3)
  steps: 2
  micro_batch_size: 4
  sequence_len: 96
}
evaluate menu on talk.train {
  metrics: [loss]
  generate: greedy(max_new_tokens: 4)
}
evaluate menu on same.train {
  metrics: [loss]
  generate: greedy(max_new_tokens: 4)
}
`;

const rows = [
  { slip: "from: Dan | to: Ida", text: "Dan takes it to Ida." },
  { slip: "from: Ada | to: Leo", text: "Ada takes it to Leo." },
];

group("conversations from the command line", (test) => {
  test("a base whose encoder reads and whose decoder writes has no conversations", async () => {
    const config = readFileSync(fileURLToPath(new URL("../../examples/summarise/base/config.json", import.meta.url)), "utf8");
    const text =
      'peft 1\nbase reader = blank("base/")\ndata talk { train = jsonl("talk.jsonl")  chat = "messages" }\nevaluate reader on talk.train\n';
    const { diagnostics } = await compile(
      { file: "main.peft", goal: "check" },
      memoryHost({ "main.peft": text, "base/config.json": config }),
    );
    assert.equal(
      diagnostics.map(({ code, at }) => `${code} ${text.slice(at!.start, at!.end)}`),
      ['PEFT0624 chat = "messages"'],
    );
  });

  test("one turn is the row that a prompt and an answer would make; generate asks as a user", async () => {
    const folder = mkdtempSync(join(tmpdir(), "peft-talk-"));
    try {
      cpSync(base, join(folder, "base"), { recursive: true });
      const write = (name: string, lines: readonly object[]): void =>
        writeFileSync(join(folder, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
      writeFileSync(join(folder, "base/chat_template.jinja"), template);
      const talk = rows.map(({ slip, text }) => ({
        conversations: [
          { from: "human", value: slip },
          { from: "gpt", value: text },
        ],
      }));
      write("talk.jsonl", talk);
      write("same.jsonl", rows);
      writeFileSync(join(folder, "talk.peft"), pipeline);
      const { code, err } = await peftIn(folder, "run talk.peft -o out --device cpu");
      assert.is(code, 0, err);
      const result = JSON.parse(readFileSync(join(folder, "out/result.json"), "utf8")) as Result;
      const [a, b] = result.evaluate;
      // The template's last line break belongs to no turn, and is never predicted.
      assert.ok(Math.abs(a!.metrics.loss! - b!.metrics.loss!) < 1e-6, `${a!.metrics.loss} and ${b!.metrics.loss}`);
      assert.equal(
        a!.samples!.map(({ expected }) => expected),
        rows.map(({ text }) => text),
      );
      assert.equal(
        a!.samples!.map(({ prompt }) => prompt),
        rows.map(({ slip }) => `<s>[user] ${slip}\n[assistant] `),
      );
      const asked = await peftIn(folder, "generate talk.peft menu -o out --device cpu --json", `${rows[0]!.slip}\n`);
      assert.is(asked.code, 0, asked.err);
      assert.is((JSON.parse(asked.out) as { answer: string }[])[0]!.answer, a!.samples![0]!.answer);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
