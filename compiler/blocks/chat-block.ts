// `chat = "messages"`, or `chat = messages("conversations", user: "customer", template: "talk.jinja")`: where a row's conversation is and what
// its messages call things. What stands beside it in the block must leave it room: a conversation is prompt and answer in one.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Chat } from "../../spec/job-data.ts";
import type { Context } from "../values/expressions.ts";
import type { Scope, Value } from "../values/values.ts";
import { bindArguments } from "./arguments.ts";
import { parameter } from "./settings.ts";

/** As it stands where a reader could. */
export const messagesCall = "messages";

/** Roles that templates know. */
const roles = ["user", "assistant", "system", "tool"] as const;

const parameters = [
  parameter("column", "string"),
  parameter("role", "string", "none"),
  parameter("content", "string", "none"),
  ...roles.map((role) => parameter(role, "texts", "none")),
  parameter("template", "path", "none"),
];

/** Undefined after a report, and for an entry that is none. */
export const readChat = (entry: tree.Entry | undefined, scope: Scope, context: Context): Chat | undefined => {
  const value = entry?.value;
  if (!entry || !value) return undefined;
  if (value.kind === "string") return { column: value.value, roles: {} };
  if (value.kind !== "call" || value.callee.kind !== "ref" || value.callee.name !== messagesCall) {
    context.report(
      diagnostics.wrong_type(value.at, {
        name: "chat",
        wanted: `a column in quotes, or \`${messagesCall}("column", …)\``,
        found: "something else",
      }),
    );
    return undefined;
  }
  const bound = bindArguments({ what: messagesCall, at: value.at, parameters }, value.args, scope, context);
  const text = (name: string): { readonly [key: string]: string } => {
    const given = bound.get(name);
    return given?.kind === "text" ? { [name]: given.value } : {};
  };
  const { column } = text("column");
  if (column === undefined) return undefined;
  const placeOf = (name: string): tree.Span => value.args.find((one) => one.name?.text === name)?.value.at ?? value.at;
  const called = roles.flatMap((role) => textsOf(bound.get(role), role, placeOf(role), context).map((name) => [name, role] as const));
  return { column, ...text("role"), ...text("content"), roles: Object.fromEntries(called), ...text("template") };
};

const textsOf = (value: Value | undefined, name: string, at: tree.Span, context: Context): readonly string[] => {
  if (!value || value.kind === "none" || value.kind === "unknown") return [];
  const texts =
    value.kind === "text" ? [value.value] : value.kind === "list" ? value.items.map((one) => (one.kind === "text" ? one.value : "")) : [""];
  if (texts.includes("") || texts.length === 0)
    context.report(
      diagnostics.wrong_type(at, { name, wanted: "a role of the rows in quotes, or a list of them", found: "something else" }),
    );
  return texts;
};

const instead = ["prompt", "answer", "classes"];

/** What a block with conversations cannot also say. */
export const checkBesideChat = (item: tree.Data, { report }: Context): void => {
  const chat = item.entries.find(({ key }) => key.text === "chat");
  const last = item.entries.find(({ key, value }) => key.text === "loss_on" && value.kind === "ref" && value.name === "last");
  if (!chat && last)
    report(
      diagnostics.wrong_type(last.value.at, { name: "loss_on", wanted: "answer or all, where rows are no conversations", found: "last" }),
    );
  if (!chat) return;
  for (const entry of item.entries)
    if (instead.includes(entry.key.text))
      report(
        diagnostics.conflicting_settings(
          entry.key.at,
          { first: "chat", second: entry.key.text },
          {
            notes: [{ message: "rows are conversations here", at: chat.at }],
            help: "a conversation is prompt and answer in one: keep one of them",
          },
        ),
      );
};
