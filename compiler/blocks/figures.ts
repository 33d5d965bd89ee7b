// `beside: [figures("paper", from: json("tables.json", under: "e2e"), rank: "r", bleu: "BLEU")]` of a sweep or a comparison -> numbers that
// others found for the same points, to stand under the table's own. An argument is a key of the points or a score of an evaluation;
// its value the numbers themselves, or the name of the file's column that holds them. Nothing that runs depends on them, so a file that is
// not there is a warning.

import type * as tree from "../../grammar/tree.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { CompileHost } from "../host.ts";
import { type Context, evaluate } from "../values/expressions.ts";
import type { Scope } from "../values/values.ts";
import type { PointSet } from "./points.ts";

/** A key of the block that is neither varied nor a candidate. */
export const besideKey = "beside";

/** What others found: rows by the keys they share with the points. */
export interface Figures {
  readonly title: string;
  readonly rows: readonly {
    readonly values: Readonly<Record<string, string>>;
    readonly scores: Readonly<Record<string, number>>;
  }[];
}

interface Source {
  readonly file: string;
  /** Names of scores that the file's evaluations have. */
  readonly scores: ReadonlySet<string>;
  readonly scope: Scope;
  readonly host: CompileHost;
}

const form = 'figures("paper", from: json("tables.json", under: "e2e"), rank: "r", bleu: "BLEU")';

export const withFigures = (
  sets: readonly PointSet[],
  items: readonly tree.Item[],
  source: Source,
  context: Context,
): readonly PointSet[] =>
  sets.map((set) => {
    const keys = new Set(set.points.flatMap(({ values }) => Object.keys(values)));
    const beside = items.flatMap((item) =>
      (item.kind === "sweep" || item.kind === "compare") && item.kind === set.kind && item.name.text === set.name
        ? item.entries.flatMap(({ key, value }) => (key.text === besideKey ? readBeside(value, keys, source, context) : []))
        : [],
    );
    return beside.length > 0 ? { ...set, beside } : set;
  });

const readBeside = (value: tree.Expr, keys: ReadonlySet<string>, source: Source, context: Context): Figures[] =>
  (value.kind === "list" ? value.items : [value]).flatMap((one) => readFigures(one, keys, source, context) ?? []);

const readFigures = (value: tree.Expr, keys: ReadonlySet<string>, source: Source, context: Context): Figures | undefined => {
  const wrong = (at: tree.Span, problem: string, help = `write \`${form}\``): undefined => {
    context.report(diagnostics.figures_form(at, { problem }, { help }));
    return undefined;
  };
  if (value.kind !== "call" || value.callee.kind !== "ref" || value.callee.name !== "figures")
    return wrong(value.at, "holds `figures(…)`, and nothing else");
  const [head, ...others] = value.args;
  const title = head && !head.name ? evaluate(head.value, source.scope, context) : undefined;
  if (title?.kind !== "text") return wrong(head?.at ?? value.at, "says first, in quotes, whose figures they are");
  const from = others.find(({ name }) => name?.text === "from");
  const records = from && readRecords(from, title.value, source, context);
  if (records === "absent") return undefined;
  const columns = new Map<string, readonly number[]>();
  for (const argument of others) {
    if (argument === from) continue;
    const name = argument.name?.text ?? "";
    const known = [...keys, ...source.scores];
    if (!known.includes(name)) {
      const near = nearest(name, known);
      return wrong(
        argument.name?.at ?? argument.at,
        `names \`${name}\`, which is no key and no score here`,
        near ? `did you mean \`${near}\`?` : `there are: ${known.join(", ")}`,
      );
    }
    const given = evaluate(argument.value, source.scope, context);
    if (given.kind === "list") {
      const numbers = given.items.flatMap((item) => (item.kind === "number" ? item.value : []));
      if (numbers.length < given.items.length) return wrong(argument.value.at, `holds something else than numbers under \`${name}\``);
      columns.set(name, numbers);
    } else if (given.kind === "text" && records) {
      const numbers = records.flatMap((record) => numberOf(record[given.value]) ?? []);
      if (numbers.length < records.length)
        return wrong(argument.value.at, `asks for \`${given.value}\`, which not every row of the file has as a number`);
      columns.set(name, numbers);
    } else if (given.kind !== "unknown")
      return wrong(argument.value.at, `gives \`${name}\` neither a list of numbers nor the name of a column of \`from\``);
  }
  const lengths = new Set([...columns.values()].map(({ length }) => length));
  if (lengths.size > 1) return wrong(value.at, `has lists of ${[...lengths].join(" and ")} numbers, which stand for the same points`);
  const at = [...columns.keys()].filter((name) => keys.has(name));
  if (at.length === 0) return wrong(value.at, "does not say which points they are of", `give \`${[...keys][0] ?? "rank"}\` too`);
  return {
    title: title.value,
    rows: Array.from({ length: [...lengths][0] ?? 0 }, (_, i) => ({
      values: Object.fromEntries(at.map((name) => [name, String(columns.get(name)![i])])),
      scores: Object.fromEntries([...columns].flatMap(([name, numbers]) => (keys.has(name) ? [] : [[name, numbers[i]!] as const]))),
    })),
  };
};

type Json = Readonly<Record<string, unknown>>;

/** The rows of `json("file", under: "name")`; "absent" after a report. */
const readRecords = (
  { value, at }: tree.Argument,
  title: string,
  { file, scope, host }: Source,
  context: Context,
): readonly Json[] | "absent" => {
  const wrong = (problem: string): "absent" => {
    context.report(diagnostics.figures_form(at, { problem }, { help: `write \`${form}\`` }));
    return "absent";
  };
  if (value.kind !== "call" || value.callee.kind !== "ref" || value.callee.name !== "json")
    return wrong('reads `from: json("file")`, and nothing else');
  const [first, second, ...more] = value.args;
  const path = first && !first.name ? evaluate(first.value, scope, context) : undefined;
  const under = second && evaluate(second.value, scope, context);
  if (path?.kind === "unknown") return "absent";
  if (path?.kind !== "text" || more.length > 0 || (second && (second.name?.text !== "under" || under?.kind !== "text")))
    return wrong('reads a file by its path, and `under: "name"` in it');
  const text = host.read(host.resolve(file, path.value));
  if (text === undefined) {
    context.report(
      diagnostics.figures_absent(
        first!.value.at,
        { path: path.value, title },
        { help: "give the file, or take the line away; what runs does not depend on it" },
      ),
    );
    return "absent";
  }
  const rows = rowsIn(text, under?.kind === "text" ? under.value : undefined);
  return rows ?? wrong(`finds no list of rows in \`${path.value}\`${under?.kind === "text" ? ` under "${under.value}"` : ""}`);
};

const rowsIn = (text: string, under: string | undefined): readonly Json[] | undefined => {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (under !== undefined) found = isObject(found) ? found[under] : undefined;
  return Array.isArray(found) && found.every(isObject) ? found : undefined;
};

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

const numberOf = (value: unknown): number | undefined => (typeof value === "number" && Number.isFinite(value) ? value : undefined);
