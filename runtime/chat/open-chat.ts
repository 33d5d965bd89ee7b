// The chat template that a data block asks for: the file that it names, or the tokenizer's own. Tried on a conversation before any row is
// read, so that a template that cannot do it is found by `check`.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Chat } from "../../spec/job-data.ts";
import { DiagnosticError } from "../diagnostic-error.ts";
import { type Host, missing, type ReadingHost } from "../host.ts";
import { decodeUtf8 } from "../json.ts";
import { ChatProblem, type ChatTemplate, openChatTemplate } from "./chat-template.ts";
import type { ChatTokens } from "./chat-tokens.ts";
import type { Message } from "./messages.ts";

/** `file` is the path of a template; without one the tokenizer's own is taken. Throws a DiagnosticError. */
export const openChat = async (host: ReadingHost, tokens: ChatTokens, base: string, file: string | undefined): Promise<ChatTemplate> => {
  const source = file === undefined ? tokens.template : await readTemplateFile(host, file);
  const from = file === undefined ? `the template of ${base}` : `\`${file}\``;
  if (source === undefined)
    throw new DiagnosticError([
      diagnostics.chat_template_absent(
        undefined,
        { base },
        { help: 'name one: `chat = messages("messages", template: "chat.jinja")`, or write `prompt` and `answer` out' },
      ),
    ]);
  try {
    const template = await openChatTemplate(source, { named: tokens.named, special: tokens.specials });
    tryTemplate(template);
    return template;
  } catch (error) {
    if (error instanceof ChatProblem) throw new DiagnosticError([problemOf(error, from)]);
    throw error;
  }
};

/** The template of a data block, whose folder is that of the `.peft` file. Throws a DiagnosticError. */
export const openChatOf = async (chat: Chat, host: Host, folder: string, tokens: ChatTokens, base: string): Promise<ChatTemplate> =>
  openChat(host, tokens, base, chat.template === undefined ? undefined : await host.resolve(folder, chat.template));

/** What a template's failure is, as a diagnostic. */
export const problemOf = ({ message, turns }: ChatProblem, template: string, place?: string): Diagnostic => {
  const where = place === undefined ? "" : `, at ${place}`;
  return turns
    ? diagnostics.chat_turns_unmarked(
        undefined,
        { template, problem: message, where },
        { help: "put `{% generation %}` and `{% endgeneration %}` around what an assistant says, in a template of your own" },
      )
    : diagnostics.chat_template_failed(undefined, { template, problem: message, where });
};

const readTemplateFile = async (host: ReadingHost, file: string): Promise<string> => {
  if ((await host.kind(file)) !== "file") throw await missing(host, file);
  const text = decodeUtf8(await host.read(file));
  if (text === undefined)
    throw new DiagnosticError([diagnostics.data_encoding(undefined, { place: file }, { help: "save the file as UTF-8" })]);
  return text;
};

const example: readonly Message[] = [
  { role: "user", content: "One soup." },
  { role: "assistant", content: "Anything else?" },
  { role: "user", content: "No." },
  { role: "assistant", content: "Thank you." },
];

const tryTemplate = (template: ChatTemplate): void => {
  const { text, turns } = template.mark(example);
  for (const { content } of example)
    if (!text.includes(content!)) throw new ChatProblem(`leaves out what is said: "${content}" is not in what it writes`);
  for (const [i, said] of ["Anything else?", "Thank you."].entries()) {
    const span = turns[i]?.span;
    if (!span || !text.slice(...span).includes(said)) throw new ChatProblem(`marks no turn where an assistant says "${said}"`, true);
  }
  template.ask(example.slice(0, 3));
};
