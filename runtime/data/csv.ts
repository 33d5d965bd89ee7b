// CSV by RFC 4180, and tab-separated files (`.tsv`), which have no quoting. The first row names the columns, or the pipeline does; every
// row has as many fields. Values are text. The field splitting is csv-parse's; its line numbers make the places.

import type { CsvError } from "csv-parse/sync";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { decodeUtf8 } from "../json.ts";
import type { Reader, Row } from "./row.ts";

interface Parsed {
  readonly record: readonly string[];
  /** `lines` is the line the record ends on. */
  readonly info: { readonly lines: number };
}

export const readCsv: Reader = async function* (host, path, problems, named) {
  const { parse } = await import("csv-parse/sync");
  const text = decodeUtf8(await host.read(path));
  if (text === undefined) return problems.add(diagnostics.data_encoding(undefined, { place: path }, { help: "save the file as UTF-8" }));
  const bad = (line: number, problem: string, help?: string) =>
    problems.add(diagnostics.data_csv(undefined, { place: `${path}:${line}`, problem }, help === undefined ? {} : { help }));
  const tabs = path.toLowerCase().endsWith(".tsv");
  let records: readonly Parsed[];
  try {
    records = parse(text, {
      info: true,
      record_delimiter: ["\r\n", "\n", "\r"], // a file may mix them
      relax_column_count: true, // counted below, where every uneven row can be reported
      skip_empty_lines: true,
      ...(tabs ? { delimiter: "\t", quote: false as const } : {}),
    }) as unknown as readonly Parsed[];
  } catch (error) {
    const { message, lines } = error as CsvError & { lines?: number };
    return bad(lines ?? 1, message, "a field with a comma, a quote or a line break stands in double quotes, with inner quotes doubled");
  }
  const [head, ...others] = records;
  if (!head) return;
  const columns = named ?? head.record;
  const rest = named ? records : others;
  const by = named ? "`columns`" : "the first row";
  columns.forEach((name, i) => {
    if (name.trim() === "") bad(head.info.lines, `column ${i + 1} has no name`, "the first row names the columns");
    else if (columns.indexOf(name) < i) bad(head.info.lines, `two columns are named \`${name}\``);
  });
  const rows: Row[] = [];
  for (const { record, info } of rest) {
    if (record.length !== columns.length)
      bad(
        info.lines,
        `${record.length} ${record.length === 1 ? "field" : "fields"}, but ${by} names ${columns.length} columns`,
        record.length > columns.length && !tabs ? "a field with a comma in it stands in double quotes" : undefined,
      );
    else rows.push({ number: info.lines, values: Object.fromEntries(columns.map((name, i) => [name, record[i]!])) });
  }
  yield rows;
};
