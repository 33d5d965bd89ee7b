// A chat template (Jinja, as Hugging Face tokenizers carry it) -> conversations as text, and where in the text each assistant's turn stands.
// The engine is @huggingface/jinja, loaded when a template is used. Variables are transformers': messages, add_generation_prompt, the
// special tokens by name. `strftime_now` is not among them: what is trained does not depend on the day, and templates that use it have a
// date for where it is not there.
//
// A turn is what a template puts between {% generation %} and {% endgeneration %}. Most templates have none: then the turn of message i is
// what the text has beyond the text of the messages before it, asked to go on as an assistant, up to its end token. Both must be beginnings of
// the whole; a template that writes earlier turns otherwise once later ones follow cannot mark them.

import type { Message } from "./messages.ts";

export interface ChatTemplate {
  /** The conversation so far, and the beginning of an assistant's turn. Throws a ChatProblem. */
  readonly ask: (messages: readonly Message[]) => string;
  /** The whole conversation. Throws a ChatProblem. */
  readonly write: (messages: readonly Message[]) => string;
  /** The same, and the turn of each assistant's message in order. Throws a ChatProblem. */
  readonly mark: (messages: readonly Message[]) => Marked;
}

export interface Marked {
  readonly text: string;
  readonly turns: readonly MarkedTurn[];
}

export interface MarkedTurn {
  /** Which message it is; absent where the template marks more or fewer turns than there are assistant's messages. */
  readonly message?: number;
  readonly span: readonly [from: number, to: number];
}

/** What a template cannot do with a conversation, as a phrase; `turns`: it is that turns cannot be told apart. */
export class ChatProblem extends Error {
  readonly turns: boolean;

  constructor(message: string, turns = false) {
    super(message);
    this.turns = turns;
  }
}

// Noncharacters: Unicode keeps them for uses like this, and no text has them.
const [opened, closed] = ["\ufdd0", "\ufdd1"];

/** Throws a ChatProblem where the template is none. `tokens`: special tokens by name (`bos_token`) and all that there are. */
export const openChatTemplate = async (
  source: string,
  tokens: { readonly named: Readonly<Record<string, string>>; readonly special: readonly string[] },
): Promise<ChatTemplate> => {
  const { Environment, Interpreter, parse, tokenize } = await import("@huggingface/jinja");
  const compiled = (text: string): ReturnType<typeof parse> => {
    try {
      return parse(tokenize(text, { lstrip_blocks: true, trim_blocks: true }));
    } catch (error) {
      throw new ChatProblem(`is no Jinja that is known here: ${reasonOf(error)}`);
    }
  };
  const run = (program: ReturnType<typeof parse>, messages: readonly Message[], add_generation_prompt: boolean): string => {
    const environment = new Environment();
    const values = { ...globals, ...tokens.named, messages, add_generation_prompt };
    for (const [name, value] of Object.entries(values)) environment.set(name, value);
    try {
      const result = new Interpreter(environment).run(program);
      return "value" in result && typeof result.value === "string" ? result.value : "";
    } catch (error) {
      throw new ChatProblem(reasonOf(error));
    }
  };
  const plain = compiled(source);
  const marking = source.replace(
    /\{%(-?)\s*(end)?generation\s*(-?)%\}/g,
    (_, left: string, end: string | undefined, right: string) => `{%${left} if true %}${end ? closed : opened}{% endif ${right}%}`,
  );
  const marked = marking === source ? undefined : compiled(marking);
  const ask = (messages: readonly Message[]): string => run(plain, messages, true);
  const write = (messages: readonly Message[]): string => run(plain, messages, false);
  return {
    ask,
    write,
    mark: (messages) => {
      const text = write(messages);
      if (!marked) return { text, turns: turnsByBeginning(text, messages, { ask, write }, tokens.special) };
      const spans = spansIn(run(marked, messages, false), text);
      const own = messages.flatMap(({ role }, i) => (role === "assistant" ? i : []));
      return { text, turns: spans.map((span, i) => (own.length === spans.length ? { span, message: own[i]! } : { span })) };
    },
  };
};

const globals: Readonly<Record<string, unknown>> = {
  false: false,
  true: true,
  none: null,
  False: false,
  True: true,
  None: null,
  tools: null,
  documents: null,
  raise_exception: (message: string) => {
    throw new Error(message);
  },
  range: (first: number, end?: number, step = 1): number[] => {
    const [from, to] = end === undefined ? [0, first] : [first, end];
    return Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, i) => from + i * step);
  },
};

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0]!;

const spansIn = (marked: string, text: string): readonly (readonly [number, number])[] => {
  const spans: [number, number][] = [];
  let plain = "";
  for (const piece of marked.split(new RegExp(`(?=[${opened}${closed}])`))) {
    if (piece[0] === opened) spans.push([plain.length, plain.length]);
    else if (piece[0] === closed && spans.length > 0) spans.at(-1)![1] = plain.length;
    plain += piece[0] === opened || piece[0] === closed ? piece.slice(1) : piece;
  }
  if (plain !== text) throw new ChatProblem("writes another text where its turns are marked", true);
  return spans.filter(([from, to]) => from < to);
};

const turnsByBeginning = (
  text: string,
  messages: readonly Message[],
  { ask, write }: Pick<ChatTemplate, "ask" | "write">,
  special: readonly string[],
): readonly MarkedTurn[] =>
  messages.flatMap(({ role }, i): MarkedTurn[] => {
    if (role !== "assistant") return [];
    const before = attempt(() => ask(messages.slice(0, i)), i);
    const after = i === messages.length - 1 ? text : attempt(() => write(messages.slice(0, i + 1)), i);
    if (!text.startsWith(before) || !text.startsWith(after) || after.length < before.length)
      throw new ChatProblem(
        `writes the first ${i + 1} messages otherwise when ${i === messages.length - 1 ? "asked for the last" : "others follow"}`,
        true,
      );
    // White space behind the end token is the template's, and nobody waits for it.
    const turn = after.slice(before.length);
    const ended = turn.trimEnd();
    const length = special.some((token) => ended.endsWith(token)) ? ended.length : turn.length;
    return length > 0 ? [{ message: i, span: [before.length, before.length + length] }] : [];
  });

const attempt = (render: () => string, i: number): string => {
  try {
    return render();
  } catch (error) {
    if (!(error instanceof ChatProblem)) throw error;
    throw new ChatProblem(`does not write the first ${i} messages alone: ${error.message}`, true);
  }
};
