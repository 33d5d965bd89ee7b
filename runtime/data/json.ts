// JSON: a file with one list of objects. Rows are numbered by their place in the list, from 1.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { decodeUtf8, isRecord, parseJsonText } from "../json.ts";
import { kindOf, type Reader, type Row } from "./row.ts";

export const readJson: Reader = async function* (host, path, problems) {
  const text = decodeUtf8(await host.read(path));
  if (text === undefined) return problems.add(diagnostics.data_encoding(undefined, { place: path }, { help: "save the file as UTF-8" }));
  if (text.trim() === "") return;
  const parsed = parseJsonText(text);
  if ("problem" in parsed) {
    const lines = /^\s*\{.*\}\s*\n\s*\{/.test(text);
    return problems.add(
      diagnostics.data_row_json(
        undefined,
        { place: path, reason: parsed.problem },
        lines ? { help: "a file with one object per line is read with `jsonl(…)`" } : {},
      ),
    );
  }
  if (!Array.isArray(parsed.value)) {
    const list = isRecord(parsed.value) ? Object.entries(parsed.value).find(([, value]) => Array.isArray(value)) : undefined;
    return problems.add(
      diagnostics.data_row_kind(
        undefined,
        { place: path, kind: kindOf(parsed.value) },
        list ? { help: `the list under \`${list[0]}\` would have to be the whole file` } : {},
      ),
    );
  }
  const rows: Row[] = [];
  parsed.value.forEach((value: unknown, i) => {
    if (isRecord(value)) rows.push({ number: i + 1, values: value });
    else problems.add(diagnostics.data_row_kind(undefined, { place: `${path}, row ${i + 1},`, kind: kindOf(value) }));
  });
  yield rows;
};
