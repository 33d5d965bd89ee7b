// Rows with conversations -> token ids, learnt where an assistant speaks: every turn of one (`answer`), the last message alone (`last`), or
// everything (`all`). A message's own word (messages.ts) goes before that of the block. Rows that a template cannot write stop everything,
// each with its place; turns that end in no token at which generation stops are counted and told.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Chat, Data } from "../../spec/job-data.ts";
import type { EncodedRow } from "../data/encode-row.ts";
import { collectProblems, type Row } from "../data/row.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { ChatProblem, type ChatTemplate, type MarkedTurn } from "./chat-template.ts";
import { encodeConversation } from "./encode-conversation.ts";
import { readMessages, type Turn } from "./messages.ts";
import { problemOf } from "./open-chat.ts";

export interface Conversations {
  readonly encode: (row: Row) => EncodedRow;
  /** What there is to say of all rows. Throws a DiagnosticError where some could not be written. */
  readonly finish: (path: string) => readonly Diagnostic[];
}

export const conversationRows = (
  template: ChatTemplate,
  chat: Chat,
  loss_on: Data["loss_on"],
  tokenizer: Tokenizer,
  place: (row: Row) => string,
): Conversations => {
  const problems = collectProblems();
  const stops = new Set(tokenizer.stops);
  let turns = 0;
  const unended: string[] = [];
  return {
    encode: (row) => {
      const given = conversationOf(row, chat);
      try {
        const marked = template.mark(given.map(({ message }) => message));
        const chosen = marked.turns.filter(learntIn(given, loss_on));
        const { ids, spans } = encodeConversation({ text: marked.text, turns: chosen }, tokenizer);
        for (const [, to] of spans) {
          turns++;
          if (!stops.has(ids[to - 1]!)) unended.push(tokenizer.tokenOf(ids[to - 1]!) ?? "");
        }
        const all: EncodedRow["spans"] = loss_on === "all" && ids.length > 1 ? [[1, ids.length]] : joined(spans);
        return { ids, spans: all, empty: all.length === 0 };
      } catch (error) {
        if (!(error instanceof ChatProblem)) throw error;
        problems.add(problemOf(error, "the chat template", place(row)));
        return { ids: [], spans: [], empty: true };
      }
    },
    finish: (path) => {
      problems.finish();
      if (unended.length === 0) return [];
      return [
        diagnostics.chat_turn_unended(
          undefined,
          { count: unended.length, total: turns, path, token: unended[0]! },
          {
            notes: [{ message: `generation stops at: ${tokenizer.stops.map((id) => tokenizer.tokenOf(id)).join(", ") || "nothing"}` }],
            help: "if it ends a turn, add its id to `eos_token_id` in generation_config.json; if not, let the template write one that does",
          },
        ),
      ];
    },
  };
};

/** The conversation of a row whose shape was checked as it was read. */
export const conversationOf = ({ values }: Row, chat: Chat): readonly Turn[] => {
  const turns = readMessages(values[chat.column], chat);
  if (typeof turns === "string") throw new Error(`a row that ${turns} was read`);
  return turns;
};

const learntIn =
  (given: readonly Turn[], loss_on: Data["loss_on"]) =>
  ({ message }: MarkedTurn, i: number, all: readonly MarkedTurn[]): boolean => {
    const own = message === undefined ? undefined : given[message]!.learnt;
    if (own !== undefined) return own;
    if (message === undefined && given.some(({ learnt }) => learnt !== undefined))
      throw new ChatProblem("marks more or fewer turns than there are assistant's messages, so that none can be left out", true);
    if (loss_on !== "last") return true;
    return message === undefined ? i === all.length - 1 : message === given.length - 1;
  };

/** Spans of at least one token, none at the very first: nothing stands before it to predict it from. */
const joined = (spans: EncodedRow["spans"]): EncodedRow["spans"] =>
  spans.map(([from, to]) => [Math.max(1, from), to] as const).filter(([from, to]) => from < to);
