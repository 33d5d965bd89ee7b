// What a `data` block says by itself, before any row is read: braces that fit, an answer that differs from row to row, an answer
// that is not handed over in the prompt, rows that are not both trained on and evaluated, a reader that fits its file.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Data, Split } from "../../spec/job-data.ts";
import { readTemplate } from "../../spec/template.ts";
import { columnPlaces, within } from "../blocks/places.ts";
import type { Context } from "../values/expressions.ts";

export const checkTemplates = (item: tree.Data, data: Data, texts: ReadonlyMap<string, string>, { report }: Context): void => {
  const entry = (name: string): tree.Expr | undefined => item.entries.find(({ key }) => key.text === name)?.value;
  let wrong = false;
  for (const [name, template] of [["prompt", data.prompt] as const, ["answer", data.answer] as const, ["adapter", data.adapter] as const]) {
    const value = entry(name);
    const read = template === undefined || !value ? undefined : readTemplate(template);
    if (!value || !read || "parts" in read) continue;
    wrong = true;
    report(
      diagnostics.template_syntax(
        value.kind === "string" ? within(value, read.at, texts) : value.at,
        { template: template!, problem: read.problem },
        { help: "a brace meant as itself is written twice: `{{`" },
      ),
    );
  }
  const answer = entry("answer");
  if (wrong || !answer || data.chat || data.answer === "") return;
  const columns = columnPlaces(item, { texts });
  const read = readTemplate(data.answer);
  if ("parts" in read && read.columns.length === 0)
    report(
      diagnostics.answer_constant(
        answer.at,
        { data: data.name },
        { help: 'name a column of the rows in braces, like `answer = "{text}"`' },
      ),
    );
  const given = columns.find(
    ({ part, column }) => part === "prompt" && columns.some((own) => own.part === "answer" && own.column === column),
  );
  if (given)
    report(
      diagnostics.answer_in_prompt(
        given.at,
        { column: given.column },
        {
          notes: [
            {
              message: "the answer is made of it here",
              at: columns.find(({ part, column }) => part === "answer" && column === given.column)!.at,
            },
          ],
          help: "take it out of the prompt; for text without a prompt, leave `prompt` out",
        },
      ),
    );
};

const extensions: Readonly<Record<string, Split["reader"]>> = {
  csv: "csv",
  tsv: "csv",
  txt: "text",
  jsonl: "jsonl",
  ndjson: "jsonl",
  parquet: "parquet",
};

/** A reader against its file's extension. `.json` may hold lines or a list, so it says nothing. */
export const checkReaders = (item: tree.Data, data: Data, { report }: Context): void => {
  for (const split of data.splits) {
    const extension = /\.(\w+)$/.exec(split.path)?.[1]?.toLowerCase() ?? "";
    const fitting = Object.hasOwn(extensions, extension) ? extensions[extension] : undefined;
    const call = item.entries.find(({ key }) => key.text === split.name)?.value;
    if (!fitting || fitting === split.reader || split.reader === "text" || call?.kind !== "call") continue;
    report(
      diagnostics.reader_mismatch(
        call.callee.at,
        { reader: split.reader, extension },
        {
          help: `\`${fitting}\` reads .${extension} files`,
          fixes: [{ at: call.callee.at, insert: fitting, title: `read it with \`${fitting}\`` }],
        },
      ),
    );
  }
};

/** Rows of one file that are trained on and evaluated: a score on them says nothing about other rows. */
export const checkOverlap = (
  trained: readonly { readonly data: string; readonly split: string }[],
  evaluated: readonly { readonly data: string; readonly split: string }[],
  items: readonly tree.Data[],
  data: ReadonlyMap<string, Data>,
  { report }: Context,
): void => {
  const splitOf = (use: { readonly data: string; readonly split: string }): Split | undefined =>
    data.get(use.data)?.splits.find(({ name }) => name === use.split);
  const placeOf = (use: { readonly data: string; readonly split: string }): tree.Span | undefined =>
    items.find(({ name }) => name.text === use.data)?.entries.find(({ key }) => key.text === use.split)?.at;
  const said = new Set<string>();
  for (const one of trained)
    for (const other of evaluated) {
      const [a, b] = [splitOf(one), splitOf(other)];
      // An evaluation on the training split itself says what it is by its name.
      if (!a || !b || a === b || a.path !== b.path || !overlap(a, b)) continue;
      const key = `${one.data}.${a.name} ${other.data}.${b.name}`;
      const at = placeOf(other);
      const first = placeOf(one);
      if (said.has(key) || !at) continue;
      said.add(key);
      report(
        diagnostics.split_overlap(
          at,
          { evaluated: `${other.data}.${b.name}`, trained: `${one.data}.${a.name}` },
          {
            notes: first ? [{ message: "these rows are trained on", at: first }] : [],
            help: `hold some out: \`${b.name} = held_out(5%, of: ${a.name})\`, or divide the file by \`rows\` and \`skip\``,
          },
        ),
      );
    }
};

const overlap = (a: Split, b: Split): boolean => {
  // Parts of one division have no row in common.
  if (a.part && b.part && a.part.seed === b.part.seed && a.part.held === b.part.held) return a.part.index === b.part.index;
  const shares = [a, b].map(({ rows_share, skip_share }) => rows_share !== undefined || skip_share !== undefined);
  // Numbers and shares do not compare before the rows are counted; shares do with each other.
  if (shares[0] && shares[1]) {
    const [c, d] = [a, b].map(({ skip_share = 0, rows_share = 1 }) => [skip_share, skip_share + rows_share - 1e-9] as const);
    return c![0] < d![1] && d![0] < c![1];
  }
  if (shares[0] || shares[1])
    return [a, b].some(
      (one) => one.rows === undefined && one.skip === undefined && one.rows_share === undefined && one.skip_share === undefined,
    );
  const range = ({ skip = 0, rows = Number.POSITIVE_INFINITY }: Split) => [skip, skip + rows] as const;
  const [[s, e], [t, f]] = [range(a), range(b)];
  return s < f && t < e;
};
