// `peft chat` and `--adapter DIR` from the command line: who answers and what they read, commands and mistakes, what a stopped answer leaves.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Conversation, converse } from "../../cli/conversation.ts";
import type { Lines } from "../../cli/io.ts";
import type { Question } from "../../cli/speaker.ts";
import { openChatTemplate } from "../../runtime/chat/chat-template.ts";
import { flowOf } from "../../runtime/generation/flow.ts";
import type { Evaluate } from "../../spec/job.ts";
import type { Result } from "../../spec/result.ts";
import { peftIn } from "../checker/peft-in.ts";
import { assert, group } from "../harness.ts";

const quickstart = fileURLToPath(new URL("../../examples/quickstart/", import.meta.url));
const template = `{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ "\\n" }}{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}`;

const pipeline = `peft 1
base teller = checkpoint("base/")
adapter clerk = lora(r: 1) into teller.layers.*.attn.q
adapter never = lora(r: 1) into teller.layers.*.attn.q
data orders { train = jsonl("rows.jsonl")  prompt = "{slip}\\n"  answer = "{text}" }
train clerk on orders { optimizer: adamw(learning_rate: 3e-2)  steps: 8  micro_batch_size: 2  sequence_len: 64 }
train never on orders { optimizer: adamw(learning_rate: 3e-2)  steps: 8  micro_batch_size: 2  sequence_len: 64 }
evaluate clerk, teller on orders.train { metrics: [loss]  generate: greedy(max_new_tokens: 6)  sequence_len: 64 }
`;
const rows = [
  { slip: "from: Dan | to: Ida", text: "Dan takes it to Ida." },
  { slip: "from: Ada | to: Leo", text: "Ada takes it to Leo." },
];

const inFolder = async (body: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "peft-talk-"));
  try {
    cpSync(`${quickstart}base`, `${folder}/base`, { recursive: true });
    writeFileSync(`${folder}/rows.jsonl`, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    writeFileSync(`${folder}/p.peft`, pipeline);
    const trained = await peftIn(folder, "train p.peft clerk -o out --device cpu");
    assert.is(trained.code, 0, trained.err);
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** A conversation with speakers that say what they were asked, and lines that are given one after the other. */
const talk = async (
  lines: readonly (string | "Ctrl-C")[],
  more: {
    readonly most?: number;
    readonly during?: (interrupt: () => void) => void;
    readonly raw?: boolean;
    readonly terminal?: boolean;
  } = {},
) => {
  let interrupt = (): void => {};
  const asked: string[] = [];
  const written = { out: "", err: "" };
  const complaints: string[] = [];
  const helps: (string | undefined)[] = [];
  const left = [...lines];
  const chat = await openChatTemplate(template, { named: { bos_token: "<s>" }, special: [] });
  const source: Lines = {
    terminal: more.terminal ?? false,
    next: async () => {
      const line = left.shift();
      if (line !== "Ctrl-C") return line;
      await Promise.resolve();
      interrupt();
      return new Promise(() => {});
    },
    interrupted: (listener) => {
      interrupt = listener;
    },
    close: () => {},
  };
  const stream = (to: "out" | "err") => ({
    write: (text: string) => {
      written[to] += text;
    },
    terminal: false,
    columns: () => undefined,
    colour: false,
  });
  const settings = { kind: "greedy" as const, max_new_tokens: 4 };
  const block = (subject: string): Evaluate => ({ subject, generate: settings }) as Evaluate;
  const conversation: Conversation = {
    speaker: {
      need: async () => {},
      close: async () => {},
      chatOf: async () => chat,
      talkOf: async () => chat,
      lengthOf: (_, prompt) => ({ tokens: prompt.length, most: more.most ?? 1000, room: 1000 }),
      answer: async ({ block: { subject }, prompts, told, signal }: Question) => {
        asked.push(prompts[0]!);
        told?.(0, `  ${subject} `);
        more.during?.(interrupt);
        if (!signal?.aborted) told?.(0, "ends");
        return [signal?.aborted ? `  ${subject}` : `  ${subject} ends`];
      },
    },
    lines: source,
    blocks: new Map(["teller", "clerk"].map((name) => [name, block(name)])),
    base: "teller",
    first: "clerk",
    system: undefined,
    raw: more.raw ?? false,
    settings: () => settings,
    out: stream("out"),
    err: stream("err"),
    complain: async (found) => {
      complaints.push(...found.map(({ code }) => code));
      helps.push(...found.map(({ help }) => help));
      return found.some(({ severity }) => severity === "error") ? 1 : 0;
    },
  };
  const code = await converse(conversation);
  return { code, asked, complaints, helps, ...written };
};

group("talk", (test) => {
  test("what was said goes through the template, whoever goes on; a command begins anew", async () => {
    const { code, asked, out, complaints } = await talk([
      "one",
      "/base",
      "two",
      "/reset",
      "//three",
      "/system Be brief.",
      "four",
      "/quit",
      "five",
    ]);
    assert.equal(asked, [
      "<s>[user] one\n[assistant] ",
      "<s>[user] one\n[assistant] clerk ends\n[user] two\n[assistant] ",
      "<s>[user] /three\n[assistant] ",
      "<s>[system] Be brief.\n[user] four\n[assistant] ",
    ]);
    assert.is(out, "clerk ends\nteller ends\nteller ends\nteller ends\n");
    assert.equal([code, complaints], [0, []]);
    assert.equal((await talk(["one", "two"], { raw: true })).asked, ["one", "two"]);
  });

  test("a stopped answer is kept as far as it came; Ctrl-C where nothing is written leaves", async () => {
    const { code, asked, out } = await talk(["one", "two", "Ctrl-C", "three"], { during: (interrupt) => interrupt() });
    assert.is(asked[1], "<s>[user] one\n[assistant] clerk\n[user] two\n[assistant] ");
    assert.equal([code, asked.length, out], [130, 2, "clerk \nclerk \n"]);
  });

  test("what no longer fits is left out from the beginning; a command that is none is told, and is the exit code", async () => {
    const long = await talk(["one", "two", "three"], { most: 70 });
    assert.is(long.asked[2], "<s>[user] two\n[assistant] clerk ends\n[user] three\n[assistant] ");
    assert.equal((await talk([`${"long ".repeat(20)}`], { most: 70 })).complaints, ["PEFT0704"]);
    const wrong = await talk(["/adapter clrk", "/rest", "/adapter", "/help"]);
    assert.equal([wrong.code, wrong.complaints, wrong.asked.length], [1, ["PEFT0705", "PEFT0705"], 0]);
    assert.match(wrong.err, /\* clerk/);
    assert.match(wrong.err, "/reset");
    const named = await talk(["/teller", "/quit"], { terminal: true });
    assert.equal([named.code, named.helps], [0, ["did you mean `/adapter teller`?"]], "who sees a slip mends it");
  });

  test("text is shown once it cannot change: whole characters, and nothing of a text that ends it", () => {
    const bytes = new TextEncoder().encode("a é ## end ###b");
    const flow = flowOf((ids) => new TextDecoder().decode(Uint8Array.from(ids)), ["###"]);
    const shown: string[] = [];
    for (let i = 1; i <= bytes.length; i++) shown.push(flow.more([...bytes.slice(0, i)]));
    shown.push(flow.rest([...bytes]));
    assert.is(shown.join(""), "a é ## end ");
    assert.not.ok(shown.some((piece) => piece.includes("\ufffd")));
    const held = flowOf((ids) => new TextDecoder().decode(Uint8Array.from(ids)), ["###"]);
    assert.equal([held.more([97, 35]), held.rest([97, 35])], ["a", "#"], "what was held back comes at the end");
  });

  test("from the command line: the base and its adapters answer as `generate` does, with or without a template", () =>
    inFolder(async (folder) => {
      const lines = `${rows[0]!.slip}\\n\n/base\n${rows[0]!.slip}\\n\n`;
      const spoken = await peftIn(folder, "chat p.peft clerk -o out --device cpu --max-new-tokens 9", lines);
      assert.is(spoken.code, 0, spoken.err);
      const generated = async (name: string, prompt: string, more = ""): Promise<string> =>
        (await peftIn(folder, `generate p.peft ${name} -o out --device cpu --max-new-tokens 9 ${more}`, `${prompt}\n`)).out;
      assert.is(spoken.out, (await generated("clerk", `${rows[0]!.slip}\\n`)) + (await generated("teller", `${rows[0]!.slip}\\n`)));
      // An adapter that the file trains and nobody has trained yet is told when it is asked for.
      const never = await peftIn(folder, "chat p.peft -o out --device cpu", "/adapter never\nhello\n");
      assert.equal([never.code, never.err.includes("PEFT0500")], [1, true], never.err);
      assert.is((await peftIn(folder, "chat p.peft clrk -o out", "")).code, 1);

      writeFileSync(`${folder}/base/chat_template.jinja`, template);
      const two = await peftIn(folder, "chat p.peft clerk -o out --device cpu --system Short.", "hello\nmore\n");
      assert.is(two.code, 0, two.err);
      const [first, second] = two.out.split("\n");
      const before = "<s>[system] Short.\\n[user] hello\\n[assistant] ";
      const raw = (prompt: string) => peftIn(folder, "chat p.peft clerk -o out --device cpu --raw", `${prompt}\n`);
      // The template's own <s> and the tokenizer's are one.
      const plain = (text: string): string => text.replace(/^<s>/, "");
      assert.is((await raw(plain(before))).out.trim(), first!.trim());
      assert.is((await raw(`${plain(before)}${first!.trim()}\\n[user] more\\n[assistant] `)).out.trim(), second!.trim());
    }));

  test("--adapter DIR evaluates and generates what a run of the file would, and is strict", () =>
    inFolder(async (folder) => {
      const own = await peftIn(folder, "evaluate p.peft clerk -o out --device cpu");
      assert.is(own.code, 0, own.err);
      cpSync(`${folder}/out/adapters/clerk`, `${folder}/down/menu`, { recursive: true });
      const given = await peftIn(folder, "evaluate p.peft --adapter down/menu --device cpu");
      assert.is(given.code, 0, given.err);
      const result = (path: string) => JSON.parse(readFileSync(`${folder}/${path}`, "utf8")) as Result;
      const [base, menu] = result("out/p/evaluated/menu/result.json").evaluate;
      assert.equal([base!.subject, menu!.subject], ["teller", "menu"]);
      assert.equal(menu!.metrics, result("out/result.json").evaluate[0]!.metrics);
      const answers = await Promise.all(
        ["clerk -o out", "--adapter down/menu/"].map((who) => peftIn(folder, `generate p.peft ${who} --device cpu`, "from: Dan\\n\n")),
      );
      assert.ok(answers[0]!.out.trim());
      assert.is(answers[0]!.out, answers[1]!.out);
      writeFileSync(
        `${folder}/down/menu/adapter_config.json`,
        readFileSync(`${folder}/down/menu/adapter_config.json`, "utf8").replace('"r": 1', '"r": 2'),
      );
      const other = await peftIn(folder, "evaluate p.peft --adapter down/menu --device cpu");
      assert.equal([other.code, other.err.includes("PEFT0580"), other.err.includes("--adapter:1")], [1, true, true], other.err);
      const long = await peftIn(folder, "generate p.peft teller --device cpu --deny warnings", `${"from: Dan ".repeat(40)}\n`);
      assert.equal([long.code, long.err.includes("PEFT0704"), long.out], [1, true, ""]);
    }));
});
