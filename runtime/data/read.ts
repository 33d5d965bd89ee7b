// A declared split to rows of text: the reader by name, `skip` and `rows` applied, every column a template uses checked.
// In: a Split and the columns. Out: rows in file order. Invariant: a row is used, held out or reported, never passed over.

import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Chat, Split } from "../../spec/job-data.ts";
import type { RowColumns } from "../../spec/row-columns.ts";
import { readMessages } from "../chat/messages.ts";
import { blaming, DiagnosticError } from "../diagnostic-error.ts";
import { joinPath, missing, type ReadingHost } from "../host.ts";
import { readCsv } from "./csv.ts";
import { partOf } from "./held-out.ts";
import { readJson } from "./json.ts";
import { readJsonl } from "./jsonl.ts";
import { readParquet } from "./parquet.ts";
import { collectProblems, kindOf, type Problems, type Reader, type Row } from "./row.ts";
import { readText } from "./text.ts";

/** To add a reader: its file, and one line here. */
const readers: Readonly<Record<Split["reader"], Reader>> = {
  jsonl: readJsonl,
  json: readJson,
  csv: readCsv,
  parquet: readParquet,
  text: readText,
};

export const pathOf = (split: Split, folder: string): string =>
  /^([/\\]|[A-Za-z]:)/.test(split.path) ? split.path : joinPath(folder, split.path);

/** Where a row stands, for messages: "train.jsonl:17", "train.json, row 17,". */
export const placeOf = (split: Split, path: string, number: number): string =>
  split.reader === "json" || split.reader === "parquet" ? `${path}, row ${number},` : `${path}:${number}`;

/**
 * All rows of a split whose named columns are text or numbers, in file order. `folder` is that of the `.peft` file.
 * Throws a DiagnosticError with up to ten rows that cannot be used.
 */
export const readRows = (host: ReadingHost, split: Split, folder: string, columns: RowColumns): Promise<readonly Row[]> =>
  blaming({ part: split.name }, () => readChecked(host, split, folder, columns));

const readChecked = async (host: ReadingHost, split: Split, folder: string, columns: RowColumns): Promise<readonly Row[]> => {
  const path = pathOf(split, folder);
  if ((await host.kind(path)) !== "file") throw await missing(host, path);
  const problems = collectProblems();
  const wanted = [...columns.needed, ...columns.optional];
  const optional = new Set(columns.optional);
  const seen = new Set<string>();
  const rows: Row[] = [];
  const lacking: { readonly row: Row; readonly column: string }[] = [];
  const { skip: before = 0, rows: most } = await limitsOf(host, split, path);
  let skip = before;
  let total = 0;
  reading: for await (const block of readers[split.reader](host, path, problems, split.columns))
    for (const row of block) {
      total++;
      if (skip > 0) {
        skip--;
        continue;
      }
      if (rows.length === most) break reading;
      for (const name of Object.keys(row.values)) seen.add(name);
      if (columns.chat) tellConversation(row, columns.chat, split, path, problems, lacking);
      for (const column of wanted) {
        const value = Object.hasOwn(row.values, column) ? row.values[column] : undefined;
        if (optional.has(column) && (value === undefined || value === null)) continue;
        if (value === undefined) lacking.push({ row, column });
        else if (typeof value !== "string" && typeof value !== "number")
          problems.add(
            diagnostics.data_value(
              undefined,
              { place: placeOf(split, path, row.number), column, kind: kindOf(value) },
              { about: { part: split.name, column } },
            ),
          );
      }
      rows.push(row);
    }
  const has = { message: `columns: ${[...seen].join(", ") || "none"}` };
  if (rows.length > 0)
    for (const column of [...(columns.chat ? [columns.chat.column] : []), ...wanted])
      if (!seen.has(column)) {
        const near = nearest(column, seen);
        const named = column === columns.chat?.column;
        problems.add(
          diagnostics.template_column(
            undefined,
            { path, column },
            {
              about: { part: named ? "chat" : split.name, column, ...(near !== undefined && { instead: near }) },
              label: "no such column",
              notes: [has],
              ...(near !== undefined && { help: `did you mean \`${named ? near : `{${near}}`}\`?` }),
            },
          ),
        );
      }
  for (const { row, column } of lacking)
    if (seen.has(column))
      problems.add(
        diagnostics.data_column_missing(
          undefined,
          { place: placeOf(split, path, row.number), column },
          { about: { part: split.name, column }, notes: [has] },
        ),
      );
  problems.finish();
  const empty = (because: string): DiagnosticError => new DiagnosticError([diagnostics.data_empty(undefined, { path, because })]);
  if (rows.length === 0) throw empty(total > 0 ? `: \`skip\` ${before} leaves none of its ${total}` : "");
  if (!split.part) return rows;
  const part = partOf(rows, split.part);
  if (part.length === 0) throw empty(` left for \`${split.name}\`: of its ${rows.length}, other splits take all`);
  return part;
};

/** `rows` and `skip` as numbers; where one is a share, the rows are counted first. */
const limitsOf = async (host: ReadingHost, split: Split, path: string): Promise<Pick<Split, "rows" | "skip">> => {
  const { rows, skip, rows_share, skip_share } = split;
  if (rows_share === undefined && skip_share === undefined) return split;
  let total = 0;
  // What is wrong with a row is told as it is read for good.
  for await (const block of readers[split.reader](host, path, { add: () => {}, finish: () => {} }, split.columns)) total += block.length;
  const cut = (share: number | undefined, number: number | undefined) => (share === undefined ? number : Math.round(share * total));
  const [most, before] = [cut(rows_share, rows), cut(skip_share, skip)];
  return { ...(most !== undefined && { rows: most }), ...(before !== undefined && { skip: before }) };
};

/** What is wrong with a row's conversation, if anything. */
const tellConversation = (
  row: Row,
  chat: Chat,
  split: Split,
  path: string,
  problems: Problems,
  lacking: { readonly row: Row; readonly column: string }[],
): void => {
  const { column } = chat;
  if (!Object.hasOwn(row.values, column)) return void lacking.push({ row, column });
  const read = readMessages(row.values[column], chat);
  if (typeof read === "string")
    problems.add(
      diagnostics.chat_message(undefined, { place: placeOf(split, path, row.number), column, problem: read }, { about: { part: "chat" } }),
    );
};
