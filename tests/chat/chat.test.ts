// Conversations: their shapes, their turns, what is learnt of them; and, beside transformers, the same text, ids and masks.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChatProblem, type ChatTemplate, openChatTemplate } from "../../runtime/chat/chat-template.ts";
import { conversationRows } from "../../runtime/chat/conversation-rows.ts";
import { encodeConversation } from "../../runtime/chat/encode-conversation.ts";
import { type Message, readMessages } from "../../runtime/chat/messages.ts";
import { makeTokenizer, type Tokenizer } from "../../runtime/tokenizer.ts";
import type { Chat, Data } from "../../spec/job-data.ts";
import { assert, group } from "../harness.ts";
import { python, pythonMissing } from "../parity/python.ts";
import { shared, without } from "../runtime/shared.ts";
import { conversations, type Shape, shapes, unmarked } from "./templates.ts";
import { byteLevel, pieces } from "./tokenizers.ts";

const kinds = { "byte-level": byteLevel, "sentencepiece-like": pieces };

const namedOf = ({ special, end }: Shape): Readonly<Record<string, string>> => ({ bos_token: special[0]!, eos_token: end });

const tokenizerOf = (shape: Shape, make: (special: readonly string[]) => Record<string, unknown>): Tokenizer =>
  makeTokenizer({ tokenizer: make(shape.special), config: namedOf(shape) }, "tokenizer.json");

const opened = (shape: Shape, source = shape.source): Promise<ChatTemplate> =>
  openChatTemplate(source, { named: namedOf(shape), special: shape.special });

const failing = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    if (error instanceof ChatProblem) return error.message;
    throw error;
  }
  return "";
};

const chat: Chat = { column: "messages", roles: {} };

const learntOf = (
  template: ChatTemplate,
  tokenizer: Tokenizer,
  messages: unknown,
  loss_on: Data["loss_on"] = "answer",
): readonly string[] => {
  const rows = conversationRows(template, chat, loss_on, tokenizer, () => "d.jsonl:1");
  const { ids, spans } = rows.encode({ number: 1, values: { messages } });
  rows.finish("d.jsonl");
  return spans.map(([from, to]) => tokenizer.decode(ids.slice(from, to), { special: true }));
};

group("conversations", (test) => {
  test("the keys and roles of ShareGPT and of OpenAI, and those that the block names", () => {
    const turns = readMessages(
      [
        { from: "system", value: "s" },
        { from: "human", value: "a" },
        { from: "gpt", value: "b" },
      ],
      chat,
    );
    assert.equal(
      (turns as { message: Message }[]).map(({ message }) => message),
      [
        { role: "system", content: "s" },
        { role: "user", content: "a" },
        { role: "assistant", content: "b" },
      ],
    );
    const own = readMessages([{ speaker: "customer", says: "a", id: 4, note: null }], {
      column: "talk",
      role: "speaker",
      content: "says",
      roles: { customer: "user" },
    });
    assert.equal(own, [{ message: { role: "user", content: "a", id: 4 } }]);
    const parts = [
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
      },
    ];
    assert.equal(readMessages(parts, chat), [{ message: { role: "user", content: "ab" } }]);
    const called = readMessages([{ role: "assistant", content: null, tool_calls: [{ id: "1" }] }], chat);
    assert.equal(called, [{ message: { role: "assistant", tool_calls: [{ id: "1" }] } }]);
  });

  test("whatever is no conversation is said in words", () => {
    const said = (value: unknown): unknown => readMessages(value, chat);
    assert.is(said("hello"), "is no list of messages");
    assert.is(said([]), "has no message");
    assert.is(said(["hello"]), "has a message that is no object with a role and a text: number 1");
    assert.match(String(said([{ role: "user", content: "a" }, { content: "b" }])), "has no role under `role` or `from`: number 2");
    assert.match(String(said([{ role: "customer", content: "a" }])), 'has the role "customer", which is none of user, human');
    assert.match(String(said([{ role: "toString", content: "a" }])), "is none of");
    assert.match(String(said([{ role: "user", content: null }])), "has no text under `content`");
    assert.match(String(said([{ role: "user", content: [{ type: "image" }] }])), "has no text");
    assert.match(String(said([{ role: "assistant", content: "a", weight: 0.5 }])), "has the weight 0.5");
  });

  for (const shape of shapes)
    for (const [kind, make] of Object.entries(kinds))
      test(`${shape.name}, ${kind}: turns are found without marks where marks would be`, async () => {
        const tokenizer = tokenizerOf(shape, make);
        const [marked, plain] = [await opened(shape), await opened(shape, unmarked(shape.source))];
        let found = 0;
        for (const messages of conversations) {
          const problem = failing(() => marked.mark(messages));
          assert.is(
            failing(() => plain.mark(messages)),
            problem,
          );
          if (problem) continue;
          const [a, b] = [marked.mark(messages), plain.mark(messages)];
          assert.is(b.text, a.text);
          assert.equal(b.turns, a.turns);
          assert.equal(encodeConversation(b, tokenizer), encodeConversation(a, tokenizer));
          found += a.turns.length;
          const { ids, spans } = encodeConversation(a, tokenizer);
          for (const [i, [from, to]] of spans.entries()) {
            // What stands before a turn is what generation starts from, and it ends where it stops.
            const before = plain.ask(messages.slice(0, a.turns[i]!.message!));
            assert.equal(ids.slice(0, from).slice(-8), tokenizer.encode(before).slice(-8), before);
            assert.ok(tokenizer.stops.includes(ids[to - 1]!));
          }
        }
        assert.ok(found >= 8, `${found} turns`);
      });

  test("what is learnt: every turn of an assistant, the last message, or everything", async () => {
    const [shape] = shapes;
    const [tokenizer, template] = [tokenizerOf(shape!, byteLevel), await opened(shape!)];
    const [, talk, , , , unanswered] = conversations;
    assert.equal(learntOf(template, tokenizer, talk), ["Anything else?<|turn|>", "That is 4 coins.<|turn|>", "Good bye!<|turn|>"]);
    assert.equal(learntOf(template, tokenizer, talk, "last"), ["Good bye!<|turn|>"]);
    assert.equal(learntOf(template, tokenizer, unanswered, "last"), []);
    const [all] = learntOf(template, tokenizer, talk, "all");
    assert.ok(all!.startsWith("<|head|>user") && all!.endsWith("Good bye!<|turn|>"));
    for (const key of ["weight", "training", "train"]) {
      const weighed = talk!.map((message, i) => (i === 1 ? { ...message, [key]: key === "weight" ? 0 : false } : message));
      assert.equal(learntOf(template, tokenizer, weighed), ["That is 4 coins.<|turn|>", "Good bye!<|turn|>"], key);
    }
    const only = talk!.map((message, i) => (i === 1 ? { ...message, weight: 1 } : message));
    assert.equal(learntOf(template, tokenizer, only, "last"), ["Anything else?<|turn|>", "Good bye!<|turn|>"], "a message's own word");
  });

  test("a template that writes earlier turns otherwise, or says no, is told with its reason", async () => {
    const [shape] = shapes;
    const last = await opened(
      shape!,
      "{% for m in messages %}{% if loop.last %}<{{ m.content }}>{% else %}{{ m.content }}{% endif %}{% endfor %}",
    );
    assert.match(
      failing(() => last.mark(conversations[1]!)),
      "writes the first 2 messages otherwise",
    );
    const brackets = await opened(shapes[2]!);
    assert.match(
      failing(() => brackets.mark([conversations[0]![0]!, conversations[0]![0]!])),
      "roles must take turns",
    );
    for (const source of ["{% for %}", "{{ messages | nothing }}", "{% if %}"])
      assert.ok(
        (
          await opened(shape!, source).then(
            (template) => failing(() => template.mark(conversations[0]!)),
            (error: unknown) => String(error),
          )
        ).length > 0,
      );
    const today = await opened(shape!, "{{ strftime_now('%Y') if strftime_now is defined else 'no day' }}");
    assert.is(today.ask(conversations[0]!), "no day", "what is trained does not depend on the day");
  });

  test("turns that end in no end token are counted", async () => {
    const [shape] = shapes;
    const tokenizer = makeTokenizer(
      { tokenizer: byteLevel(shape!.special), config: { bos_token: "<|begin|>", eos_token: "<|begin|>" } },
      "t",
    );
    const rows = conversationRows(await opened(shape!), chat, "answer", tokenizer, () => "");
    for (const messages of conversations.slice(0, 2)) rows.encode({ number: 1, values: { messages } });
    assert.equal(
      rows.finish("d.jsonl").map(({ code, message }) => `${code} ${message}`),
      ["PEFT0625 4 of 4 turns that are learnt of `d.jsonl` end in `<|turn|>`, at which generation does not stop"],
    );
  });

  test(
    "ids and masks are those of transformers, and so is the text of published templates",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "peft-chat-"));
      try {
        const cases = shapes.flatMap((shape) =>
          Object.entries(kinds).map(([kind, make]) => {
            const file = join(folder, `${shape.name}-${kind}.json`);
            writeFileSync(file, JSON.stringify(make(shape.special)));
            return { shape, make, tokenizer: file, special: namedOf(shape), template: shape.source, conversations };
          }),
        );
        const published = without("tokenizers/chat-templates") ? [] : readdirSync(shared("tokenizers/chat-templates"));
        const special = { bos_token: "<s>", eos_token: "</s>" };
        const texts = published.flatMap((name) => {
          const template = readFileSync(shared(`tokenizers/chat-templates/${name}`), "utf8");
          return [conversations[1]!, conversations[4]!].flatMap((conversation) =>
            [false, true].map((ask) => ({ name, template, special, conversation, ask })),
          );
        });
        const answer = (await python("chat.py", {
          cases: cases.map(({ shape: _, make: __, ...rest }) => rest),
          texts: texts.map(({ name: _, ...rest }) => rest),
        })) as {
          cases: ({ ids: number[]; mask: number[] } | { error: string })[][];
          texts: (string | { error: string })[];
        };
        let compared = 0;
        for (const [i, { shape, make }] of cases.entries()) {
          const [tokenizer, template] = [tokenizerOf(shape, make), await opened(shape)];
          for (const [k, messages] of conversations.entries()) {
            const theirs = answer.cases[i]![k]!;
            const where = `${shape.name}, ${tokenizer.size}, conversation ${k}`;
            if ("error" in theirs) {
              assert.match(
                failing(() => template.mark(messages)),
                theirs.error,
                where,
              );
              continue;
            }
            // Where the first letters of a turn are of one token with what stands before it, that token is theirs alone.
            if (k === 3 && shape.name !== "headers" && shape.name !== "renamed") continue;
            const { ids, spans } = encodeConversation(template.mark(messages), tokenizer);
            assert.equal(ids, theirs.ids, where);
            assert.equal(
              ids.map((_, at) => (spans.some(([from, to]) => at >= from && at < to) ? 1 : 0)),
              theirs.mask,
              where,
            );
            compared++;
          }
        }
        assert.ok(compared >= 36, `${compared} conversations`);
        for (const [i, { name, template, conversation, ask }] of texts.entries()) {
          const theirs = answer.texts[i]!;
          const ours = await openChatTemplate(template, { named: special, special: ["<s>", "</s>"] });
          const written = (): string => (ask ? ours.ask(conversation) : ours.write(conversation));
          const problem = failing(written);
          if (typeof theirs === "object") assert.ok(problem !== "", `${name}: ${theirs.error}`);
          // Jinja takes none for an empty list there; the engine says that it does not.
          else if (problem !== "") assert.match(`${name}: ${problem}`, 'functionary-medium-v3.1.jinja: Cannot apply filter "selectattr"');
          // The day is given to no template; this one has a date for where it is not.
          else assert.is(written(), theirs.replace(/Today Date: \d+ \w+ \d{4}/, "Today Date: 26 Jul 2024"), name);
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    { skip: pythonMissing },
  );
});
