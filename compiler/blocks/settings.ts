// The settings of a block against a table of what the block knows -> values. Unknown, missing, doubled and mistyped settings
// are each a diagnostic; another tool's spelling is recognised only to offer the right one.

import type * as tree from "../../grammar/tree.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { type Context, evaluate } from "../values/expressions.ts";
import { none, type Scope, type Value } from "../values/values.ts";
import { typed } from "./arguments.ts";
import { literal, oursFor, translate } from "./other-tools.ts";

/** `int`, `float`, `bool`, `string`, `span`; `call` and `every` and `list`, and `any`, are read by the block itself. */
export interface Setting {
  readonly type: "int" | "float" | "bool" | "string" | "call" | "every" | "list" | "any" | { readonly oneOf: readonly string[] };
  readonly required?: boolean;
  readonly atLeast?: number;
  readonly doc: string;
}

export interface Settings {
  readonly entry: (name: string) => tree.Entry | undefined;
  /** Whether the setting is there, if only under a name that was mistyped or is another tool's: it is not missing too. */
  readonly meant: (name: string) => boolean;
  readonly value: (name: string) => Value;
  readonly number: (name: string) => number | undefined;
  readonly text: (name: string) => string | undefined;
  readonly flag: (name: string) => boolean | undefined;
}

const nowhere: tree.Span = { file: "", start: 0, end: 0 };

/** A parameter of a built-in call. */
export const parameter = (name: string, type: string, fallback?: number | "none" | "false"): tree.Parameter => ({
  at: nowhere,
  name: { text: name, at: nowhere },
  type: { text: type, at: nowhere },
  ...(fallback !== undefined && {
    value:
      typeof fallback === "string"
        ? { kind: "ref" as const, at: nowhere, name: fallback }
        : { kind: "number" as const, at: nowhere, text: String(fallback), value: fallback },
  }),
});

/** `:` sets and `=` names; a block has one of the two. */
export const wrongSign = ({ at, key, value }: tree.Entry, sign: ":" | "=", { report }: Context): void => {
  const insert = sign === ":" ? ": " : " = ";
  report(
    diagnostics.setting_sign(
      key.at,
      { name: key.text, sign },
      {
        help: `write \`${key.text}${insert}…\``,
        fixes: [{ at: { ...at, start: key.at.end, end: value.at.start }, insert, title: `write \`${sign}\`` }],
      },
    ),
  );
};

export const readSettings = (
  block: { readonly what: string; readonly at: tree.Span; readonly entries: readonly tree.Entry[]; readonly sign: ":" | "=" },
  table: Readonly<Record<string, Setting>>,
  scope: Scope,
  context: Context,
): Settings => {
  const { report } = context;
  const names = Object.keys(table);
  const entries = new Map<string, tree.Entry>();
  const values = new Map<string, Value>();
  const meant = new Set<string>();
  for (const entry of block.entries) {
    const name = entry.key.text;
    const setting = table[name];
    if (!setting) {
      const translated = translate(name, names, entry.value, (ours) => {
        const beside = block.entries.find(({ key }) => key.text === ours || oursFor(key.text) === ours);
        return beside && literal(beside.value);
      });
      const near = translated ? translated.name : nearest(name, names);
      if (near) meant.add(near);
      const sign = block.sign === ":" ? ":" : " =";
      const rewritten =
        translated?.value === undefined || translated.value.includes("…")
          ? undefined
          : { at: entry.at, insert: `${near}${sign} ${translated.value}`, title: `write \`${near}${sign} ${translated.value}\`` };
      report(
        diagnostics.unknown_setting(
          entry.key.at,
          { name, block: block.what },
          {
            label: "not a setting",
            notes: [{ message: `${block.what} knows: ${names.join(", ")}` }],
            ...((translated || near) && { help: translated?.help ?? `did you mean \`${near}\`?` }),
            ...(near && { fixes: [rewritten ?? { at: entry.key.at, insert: near, title: `change to \`${near}\`` }] }),
          },
        ),
      );
      continue;
    }
    if (entries.has(name)) {
      report(
        diagnostics.duplicate_name(
          entry.key.at,
          { name },
          { notes: [{ message: "first given here", at: entries.get(name)!.at }], help: "give it once" },
        ),
      );
      continue;
    }
    if (entry.sign !== block.sign) wrongSign(entry, block.sign, context);
    entries.set(name, entry);
    if (typeof setting.type === "object") {
      const given = entry.value.kind === "ref" ? entry.value.name : entry.value.kind === "string" ? entry.value.value : undefined;
      if (given !== undefined && setting.type.oneOf.includes(given)) values.set(name, { kind: "text", value: given });
      else
        report(
          diagnostics.wrong_type(entry.value.at, {
            name,
            wanted: `one of ${setting.type.oneOf.join(", ")}`,
            found: given ?? "something else",
          }),
        );
    } else if (setting.type === "any") {
      // Read, and judged, by the block.
    } else if (setting.type === "call" || setting.type === "every" || setting.type === "list") {
      const fits = setting.type === "call" ? entry.value.kind === "call" : entry.value.kind === setting.type;
      if (!fits) {
        const wanted = {
          call: "a name with settings, like `NAME(learning_rate: 2e-4)`",
          every: "an interval, like `every 200 steps`",
          list: "a list, like `[loss]`",
        }[setting.type];
        report(
          diagnostics.wrong_type(entry.value.at, {
            name,
            wanted,
            found: entry.value.kind === "number" ? "a number" : entry.value.kind === "string" ? "text" : "something else",
          }),
        );
        entries.delete(name);
      }
    } else {
      const value = typed(evaluate(entry.value, scope, context), parameter(name, setting.type), entry.value.at, context);
      if (value.kind === "number" && setting.atLeast !== undefined && value.value < setting.atLeast)
        report(diagnostics.out_of_range(entry.value.at, { name, value: value.value, least: setting.atLeast }));
      values.set(name, value);
    }
  }
  for (const [name, setting] of Object.entries(table))
    if (setting.required && !entries.has(name) && !meant.has(name) && !block.entries.some((entry) => entry.key.text === name))
      report(diagnostics.missing_setting(block.at, { name, block: block.what }, { help: `${setting.doc}` }));
  const value = (name: string): Value => values.get(name) ?? none;
  return {
    entry: (name) => entries.get(name),
    meant: (name) => entries.has(name) || meant.has(name),
    value,
    number: (name) => {
      const found = value(name);
      return found.kind === "number" ? found.value : undefined;
    },
    text: (name) => {
      const found = value(name);
      return found.kind === "text" ? found.value : undefined;
    },
    flag: (name) => {
      const found = value(name);
      return found.kind === "bool" ? found.value : undefined;
    },
  };
};
