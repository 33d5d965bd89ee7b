// A conversation as an evaluation sees it: what stands before its last answer, and that answer.

import type { Chat } from "../../spec/job-data.ts";
import type { Row } from "../data/row.ts";
import type { ChatTemplate } from "./chat-template.ts";
import { conversationOf } from "./conversation-rows.ts";

/** Undefined where no assistant speaks. Throws a ChatProblem. */
export const lastQuestion = (
  row: Row,
  chat: Chat,
  template: ChatTemplate,
): { readonly prompt: string; readonly answer: string } | undefined => {
  const messages = conversationOf(row, chat).map(({ message }) => message);
  const last = messages.map(({ role }) => role).lastIndexOf("assistant");
  const answer = messages[last];
  return answer && { prompt: template.ask(messages.slice(0, last)), answer: answer.content ?? "" };
};
