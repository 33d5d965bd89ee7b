// JSON Lines: one object per line; blank lines are passed over.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { isRecord, parseJsonText } from "../json.ts";
import { readLines } from "./lines.ts";
import { kindOf, type Reader, type Row } from "./row.ts";

export const readJsonl: Reader = async function* (host, path, problems) {
  for await (const lines of readLines(host, path, problems)) {
    const rows: Row[] = [];
    for (const { number, text } of lines) {
      const place = `${path}:${number}`;
      const parsed = parseJsonText(text);
      if ("problem" in parsed)
        problems.add(
          diagnostics.data_row_json(
            undefined,
            { place, reason: parsed.problem },
            number === 1 && text.trim() === "[" ? { help: "a file with one JSON list is read with `json(…)`" } : {},
          ),
        );
      else if (!isRecord(parsed.value)) problems.add(diagnostics.data_row_kind(undefined, { place, kind: kindOf(parsed.value) }));
      else rows.push({ number, values: parsed.value });
    }
    yield rows;
  }
};
