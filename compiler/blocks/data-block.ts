// A `data` block -> its splits and what is made of their rows. `name = reader(path)` is a split, `name = held_out(5%, of: train)` one that
// takes rows from another; the rest are templates and settings.

import type * as tree from "../../grammar/tree.ts";
import { instead, nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Data, Split } from "../../spec/job-data.ts";
import type { Context } from "../values/expressions.ts";
import { evaluate } from "../values/expressions.ts";
import type { Scope } from "../values/values.ts";
import { type Amount, readAmount } from "./amount.ts";
import { bindArguments } from "./arguments.ts";
import { checkBesideChat, readChat } from "./chat-block.ts";
import { divide, type HeldOut, heldOut, readHeldOut } from "./held-out.ts";
import { parameter, readSettings, type Setting, wrongSign } from "./settings.ts";

export const readers = ["jsonl", "json", "csv", "parquet", "text"] as const;

export const dataTable: Record<string, Setting> = {
  prompt: { type: "string", doc: 'what the model reads, like `prompt = "{question}\\n"`; {column} is the row\'s value' },
  chat: { type: "any", doc: 'the column of a conversation, like `chat = "messages"`, in place of prompt and answer' },
  answer: { type: "string", required: true, doc: 'what the model learns to write, like `answer = "{text}"`' },
  adapter: { type: "string", doc: 'the adapter of a row, for a `mix` of adapters, like `adapter = "{task}"`' },
  classes: { type: "list", doc: 'the answers there are, for a base that tells classes apart, like `classes = ["no", "yes"]`' },
  masked: {
    type: "any",
    doc: "which share of the tokens of the answer is hidden, for a base that tells hidden tokens, like `masked = 15%`",
  },
  loss_on: { type: { oneOf: ["answer", "last", "all"] }, doc: "where the loss falls; last: of a conversation, on its last message alone" },
};

/** A block's data; where a split could not be read, that it was declared: what uses it is no further mistake. */
export interface DataPlan extends Data {
  readonly unread?: readonly string[];
}

/** Reads `data`: every `name = reader(path)` is a split; the rest are templates. */
export const readData = (item: tree.Data, scope: Scope, context: Context): DataPlan => {
  const splits: Split[] = [];
  const held: HeldOut[] = [];
  const rest: tree.Entry[] = [];
  for (const entry of item.entries) {
    const { value } = entry;
    const reader = value.kind === "call" && value.callee.kind === "ref" ? value.callee.name : undefined;
    if (value.kind !== "call" || reader === undefined || entry.key.text === "chat") {
      rest.push(entry);
      continue;
    }
    if (entry.sign !== "=") wrongSign(entry, "=", context);
    const twice = item.entries.find((other) => other.key.text === entry.key.text && other.value.kind === "call");
    if (twice && twice !== entry) {
      context.report(
        diagnostics.duplicate_name(
          entry.key.at,
          { name: entry.key.text },
          { notes: [{ message: "first given here", at: twice.key.at }], help: "one file makes a split; give the second another name" },
        ),
      );
      continue;
    }
    if (reader === heldOut) {
      const one = readHeldOut(entry, value, scope, context);
      if (one) held.push(one);
      continue;
    }
    if (!(readers as readonly string[]).includes(reader)) {
      const near = nearest(reader, [...readers, heldOut]);
      context.report(
        diagnostics.unknown_definition(
          value.callee.at,
          { kind: "reader", name: reader },
          { notes: [{ message: `readers: ${readers.join(", ")}; and ${heldOut}(…)` }], ...instead(value.callee.at, near) },
        ),
      );
      continue;
    }
    const args = bindArguments(
      {
        what: reader,
        at: value.at,
        parameters: [
          parameter("path", "path"),
          parameter("rows", "amount", "none"),
          parameter("skip", "amount", "none"),
          ...(reader === "csv" ? [parameter("columns", "list", "none")] : []),
        ],
      },
      value.args,
      scope,
      context,
    );
    const path = args.get("path");
    const amount = (name: string, least: 0 | 1): Amount | undefined =>
      readAmount(args.get(name), name, value.args.find((one) => one.name?.text === name)?.value.at ?? value.at, least, context);
    const [rows, skip] = [amount("rows", 1), amount("skip", 0)];
    if (path?.kind !== "text") continue;
    const columns = value.args.find((one) => one.name?.text === "columns")?.value;
    splits.push({
      name: entry.key.text,
      reader: reader as Split["reader"],
      path: path.value,
      ...(columns && args.get("columns")?.kind === "list" && { columns: readTexts("columns", columns, 1, scope, context) }),
      ...limitsOf("rows", rows),
      ...limitsOf("skip", skip),
    });
  }
  const talks = rest.some(({ key }) => key.text === "chat");
  const table = talks ? { ...dataTable, answer: { ...dataTable.answer!, required: false } } : dataTable;
  const settings = readSettings({ what: `data ${item.name.text}`, at: item.name.at, entries: rest, sign: "=" }, table, scope, context);
  checkBesideChat(item, context);
  const masked = readMasked(settings.entry("masked"), item, scope, context);
  const chat = readChat(settings.entry("chat"), scope, context);
  const all = divide(splits, held, item, context);
  const unread = item.entries.flatMap(({ key, value }) =>
    value.kind === "call" && key.text !== "chat" && !all.some(({ name }) => name === key.text) ? key.text : [],
  );
  if (splits.length === 0 && unread.length === 0)
    context.report(diagnostics.no_splits(item.name.at, { name: item.name.text }, { help: 'add one, like `train = jsonl("train.jsonl")`' }));
  const prompt = talks ? undefined : settings.text("prompt");
  const adapter = settings.text("adapter");
  return {
    name: item.name.text,
    splits: all,
    ...(unread.length > 0 && { unread }),
    ...(chat && { chat }),
    ...(prompt !== undefined && { prompt }),
    answer: settings.text("answer") ?? "",
    ...(adapter !== undefined && { adapter }),
    ...(settings.entry("classes") && { classes: readTexts("classes", settings.entry("classes")!.value, 2, scope, context) }),
    ...(masked !== undefined && { masked }),
    loss_on: (settings.text("loss_on") as Data["loss_on"] | undefined) ?? "answer",
  };
};

/** Undefined for none, and after a report. */
const readMasked = (entry: tree.Entry | undefined, item: tree.Data, scope: Scope, context: Context): number | undefined => {
  if (!entry) return undefined;
  for (const other of item.entries)
    if (["prompt", "classes", "chat", "loss_on"].includes(other.key.text))
      context.report(
        diagnostics.conflicting_settings(
          other.key.at,
          { first: "masked", second: other.key.text },
          {
            notes: [{ message: "tokens are hidden here", at: entry.at }],
            help: "the text is the answer, and the loss falls on what is hidden of it: keep one of them",
          },
        ),
      );
  const value = evaluate(entry.value, scope, context);
  if (value.kind === "number" && value.unit === "%" && value.value > 0 && value.value <= 100) return value.value / 100;
  if (value.kind !== "unknown")
    context.report(diagnostics.wrong_type(entry.value.at, { name: "masked", wanted: "a share, like `15%`", found: "something else" }));
  return undefined;
};

const limitsOf = (name: "rows" | "skip", amount: Amount | undefined): Partial<Split> =>
  !amount ? {} : "share" in amount ? { [`${name}_share`]: amount.share } : { [name]: amount.rows };

/** Texts, each once, and as many as are needed. */
const readTexts = (what: string, expr: tree.Expr, least: 1 | 2, scope: Scope, context: Context): string[] => {
  const value = evaluate(expr, scope, context);
  const names = value.kind === "list" ? value.items.flatMap((item) => (item.kind === "text" ? item.value : [])) : [];
  if (value.kind !== "list" || names.length !== value.items.length || new Set(names).size !== names.length || names.length < least)
    context.report(
      diagnostics.wrong_type(expr.at, {
        name: what,
        wanted: `${least === 2 ? "two or more texts" : "texts"}, each once`,
        found: "something else",
      }),
    );
  return names;
};
