// A row's conversation -> messages as a chat template takes them, whatever their keys and roles were called. A message has its role under
// `role` or `from`, its text under `content` or `value`, unless the data block says otherwise; what else it has goes along.

import type { Chat } from "../../spec/job-data.ts";
import { roles } from "../../spec/roles.ts";
import { isRecord } from "../json.ts";

export interface Message {
  readonly role: string;
  /** Absent where an assistant only calls tools. */
  readonly content?: string;
  readonly [key: string]: unknown;
}

export interface Turn {
  readonly message: Message;
  /** Whether the message says by itself that it is learnt, or not; absent where it says nothing. */
  readonly learnt?: boolean;
}

const roleKeys = ["role", "from"];
const contentKeys = ["content", "value"];
/** A message's own word on whether it is learnt: OpenAI's `weight`, 0 or 1, and Axolotl's `training` and `train`. */
const learntKeys = ["weight", "training", "train"];

/** The turns of a conversation; a phrase that says what is wrong with it. */
export const readMessages = (value: unknown, chat: Chat): readonly Turn[] | string => {
  if (!Array.isArray(value)) return "is no list of messages";
  if (value.length === 0) return "has no message";
  const turns: Turn[] = [];
  for (const [i, one] of (value as unknown[]).entries()) {
    const turn = isRecord(one) ? readTurn(one, chat) : "is no object with a role and a text";
    if (typeof turn === "string") return `has a message that ${turn}: number ${i + 1}`;
    turns.push(turn);
  }
  return turns;
};

const readTurn = (given: Readonly<Record<string, unknown>>, chat: Chat): Turn | string => {
  // A null says nothing; templates would write it out.
  const entries = Object.entries(given).filter(([, value]) => value !== null);
  const keys = entries.map(([key]) => key);
  const roleKey = chat.role ?? roleKeys.find((key) => keys.includes(key));
  const contentKey = chat.content ?? contentKeys.find((key) => keys.includes(key)) ?? "content";
  const values = new Map(entries);
  const said = roleKey === undefined ? undefined : values.get(roleKey);
  if (roleKey === undefined || typeof said !== "string") return `has no role under \`${chat.role ?? roleKeys.join("` or `")}\``;
  const known = { ...roles, ...chat.roles };
  const role = Object.hasOwn(known, said) ? known[said]! : undefined;
  if (role === undefined) return `has the role "${said}", which is none of ${Object.keys(known).join(", ")}`;
  const content = textOf(values.get(contentKey));
  if (content === undefined && !(values.get(contentKey) === undefined && values.has("tool_calls")))
    return `has no text under \`${contentKey}\``;
  const learnt = learntKeys.find((key) => values.has(key));
  const word = learnt === undefined ? undefined : values.get(learnt);
  if (learnt !== undefined && !(typeof word === "boolean" || word === 0 || word === 1))
    return `has the ${learnt} ${JSON.stringify(word)}, and it is learnt or not: 0 or 1`;
  const rest = entries.filter(([key]) => ![roleKey, contentKey, ...learntKeys].includes(key));
  return {
    message: { role, ...(content !== undefined && { content }), ...Object.fromEntries(rest) },
    ...(word !== undefined && { learnt: Boolean(word) }),
  };
};

/** Text, or OpenAI's list of parts when all of them are text. */
const textOf = (content: unknown): string | undefined => {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return undefined;
  const parts = (content as unknown[]).map((part) =>
    isRecord(part) && part.type === "text" && typeof part.text === "string" ? part.text : undefined,
  );
  return parts.includes(undefined) ? undefined : parts.join("");
};
