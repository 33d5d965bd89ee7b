// Lines in, answers out as they are written. What was said so far goes through the chat template, when there is one, and is kept when
// another adapter goes on; without a template each line is answered by itself. What no longer fits is left out from the beginning,
// and said.

import type { Message } from "../runtime/chat/messages.ts";
import { DiagnosticError } from "../runtime/diagnostic-error.ts";
import { type Diagnostic, nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Evaluate, Generation } from "../spec/job.ts";
import type { ExitCode } from "./command.ts";
import type { Lines, Stream } from "./io.ts";
import { safe } from "./render/columns.ts";
import { paintFor } from "./render/paint.ts";
import type { Speaker } from "./speaker.ts";

export interface Conversation {
  readonly speaker: Speaker;
  readonly lines: Lines;
  /** Who may speak. */
  readonly blocks: ReadonlyMap<string, Evaluate>;
  readonly base: string;
  /** Who speaks at first. */
  readonly first: string;
  readonly system: string | undefined;
  /** No template and no history. */
  readonly raw: boolean;
  readonly settings: (block: Evaluate) => Generation;
  readonly out: Stream;
  readonly err: Stream;
  readonly complain: (found: readonly Diagnostic[]) => Promise<ExitCode>;
}

const commands: readonly (readonly [string, string])[] = [
  ["/adapter NAME", "another adapter goes on; without a name, who there is"],
  ["/base", "the base without an adapter goes on"],
  ["/system TEXT", "what stands before the conversation; it begins anew"],
  ["/reset", "begin anew"],
  ["/help", "this"],
  ["/quit", "leave; Ctrl-D does too"],
];

/** Throws a DiagnosticError when the first speaker cannot be read. */
export const converse = async (conversation: Conversation): Promise<ExitCode> => {
  const { speaker, lines, blocks, base, raw, settings, out, err, complain } = conversation;
  const paint = paintFor(err.colour);
  let name = conversation.first;
  let system = conversation.system;
  let messages: Message[] = [];
  let worst: ExitCode = 0;
  const wrong = async (found: readonly Diagnostic[]): Promise<void> => {
    // Someone who sees a slip mends it on the next line; a script learns of it by the exit code.
    if ((await complain(found)) !== 0 && !lines.terminal) worst = 1;
  };
  const note = (text: string): void => {
    if (lines.terminal) err.write(`${paint.faint(text)}\n`);
  };
  const template = raw ? undefined : await speaker.talkOf(blocks.get(name)!);
  await speaker.need(name);
  if (system !== undefined && !template) await wrong([systemless()]);
  note(`${template ? "" : "each line is answered by itself, as the model reads it; "}/help lists what else there is`);

  const switchTo = async (wanted: string, command: string): Promise<void> => {
    if (!blocks.has(wanted)) {
      const near = nearest(wanted, blocks.keys());
      return wrong([
        diagnostics.chat_command(
          undefined,
          { command, problem: `names nobody: \`${wanted}\` is not there` },
          { notes: [{ message: `there are: ${[...blocks.keys()].join(", ")}` }], ...(near && { help: `did you mean \`${near}\`?` }) },
        ),
      ]);
    }
    try {
      await speaker.need(wanted);
      name = wanted;
      note(`${wanted} goes on${messages.length && template ? " with what was said" : ""}`);
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      await wrong(error.diagnostics);
    }
  };

  const obey = async (line: string): Promise<"leave" | undefined> => {
    const [word, rest = ""] = line.split(/\s+(.*)/s) as [string, string?];
    switch (word) {
      case "/quit":
      case "/exit":
        return "leave";
      case "/help":
        err.write(commands.map(([form, says]) => `  ${form.padEnd(15)} ${says}\n`).join(""));
        return undefined;
      case "/base":
        await switchTo(base, word);
        return undefined;
      case "/reset":
        messages = [];
        note("begun anew");
        return undefined;
      case "/system":
        if (!template) {
          await wrong([systemless()]);
          return undefined;
        }
        system = rest.trim() || undefined;
        messages = [];
        note("begun anew");
        return undefined;
      case "/adapter":
        if (rest.trim()) await switchTo(rest.trim(), word);
        else err.write([...blocks.keys()].map((one) => `  ${one === name ? "*" : " "} ${one}\n`).join(""));
        return undefined;
      default: {
        const near = blocks.has(word.slice(1))
          ? `/adapter ${word.slice(1)}`
          : nearest(
              word,
              commands.map(([form]) => form.split(" ")[0]!),
            );
        await wrong([
          diagnostics.chat_command(
            undefined,
            { command: word, problem: "is no command here" },
            { help: near ? `did you mean \`${near}\`?` : "`/help` lists them; to say it, write `/` twice" },
          ),
        ]);
        return undefined;
      }
    }
  };

  /** What the model reads; what no longer fits left out. */
  const promptOf = async (block: Evaluate, text: string): Promise<string> => {
    if (template) messages.push({ role: "user", content: text });
    const written = (): string =>
      template ? template.ask([...(system === undefined ? [] : [{ role: "system", content: system }]), ...messages]) : text;
    let left = 0;
    for (;;) {
      const prompt = written();
      const { tokens, most, room } = speaker.lengthOf(block, prompt, template !== undefined);
      // An answer has the room that it may take, or a quarter of all there is.
      if ((tokens <= most && room >= Math.min(settings(block).max_new_tokens, most / 4)) || messages.length < 3) {
        if (left > 0) note(`the first ${left} messages no longer fit into ${most} tokens and are left out`);
        if (tokens > most)
          await wrong([diagnostics.prompt_cut(undefined, { tokens, most }, { help: "say it in fewer words, or raise `--context`" })]);
        return prompt;
      }
      messages.splice(0, 2);
      left += 2;
    }
  };

  const reply = async (text: string): Promise<void> => {
    const block = blocks.get(name)!;
    const prompt = await promptOf(block, text);
    const stopping = new AbortController();
    lines.interrupted(() => stopping.abort());
    let begun = false;
    const [answer = ""] = await speaker.answer({
      block,
      settings: settings(block),
      prompts: [prompt],
      bare: template !== undefined,
      signal: stopping.signal,
      told: (_, more) => {
        const shown = begun ? more : more.trimStart();
        if (shown) out.write(safe(shown));
        begun ||= shown !== "";
      },
    });
    out.write("\n");
    if (stopping.signal.aborted) note("stopped");
    if (template) messages.push({ role: "assistant", content: answer.trim() });
  };

  for (;;) {
    let leaving = false;
    const asked = lines.next(`${paint.strong(name)}> `);
    const line = await Promise.race([
      asked,
      new Promise<undefined>((resolve) => {
        lines.interrupted(() => {
          leaving = true;
          resolve(undefined);
        });
      }),
    ]);
    if (line === undefined) {
      if (lines.terminal) out.write("\n");
      return leaving ? 130 : worst;
    }
    if (line.trim() === "") continue;
    if (line.startsWith("/") && !line.startsWith("//")) {
      if ((await obey(line.trim())) === "leave") return worst;
    } else await reply((line.startsWith("//") ? line.slice(1) : line).replaceAll("\\n", "\n"));
  }
};

const systemless = (): Diagnostic =>
  diagnostics.chat_command(
    undefined,
    { command: "/system", problem: "has no place: nothing writes a conversation here" },
    { help: "a base with a chat template, or data with `chat = …`, has one" },
  );
