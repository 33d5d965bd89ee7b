// The JSON Schema of a data block's rows, as its templates ask for them: every column a template names is there and is text or a
// number; one that only a part for rows that have it names may be left out; a conversation is a list of messages. What else a row has is its own. `peft data FILE --schema`
// prints it, so that what makes the rows can keep to it.

import type { Data } from "./job-data.ts";
import { rowColumns } from "./row-columns.ts";

export const rowSchema = (data: Data): Readonly<Record<string, unknown>> => {
  const { needed, optional, chat } = rowColumns(data);
  const text = [{ type: "string" }, { type: "number" }];
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: `A row of ${data.name}`,
    type: "object",
    properties: Object.fromEntries([
      ...(chat ? [[chat.column, { type: "array", minItems: 1, items: { type: "object" } }] as const] : []),
      ...needed.map((column) => [column, { anyOf: text }]),
      ...optional.map((column) => [column, { anyOf: [...text, { type: "null" }] }]),
    ]),
    required: [...(chat ? [chat.column] : []), ...needed],
  };
};
