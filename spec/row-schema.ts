// The JSON Schema of a data block's rows, as its templates ask for them: every column a template names is there and is text or a
// number. What else a row has is its own. `peft data FILE --schema` prints it, so that what makes the rows can keep to it.

import type { Data } from "./job.ts";
import { readTemplate } from "./template.ts";

export const rowSchema = (data: Data): Readonly<Record<string, unknown>> => {
  const columns = [data.prompt, data.answer].flatMap((template) => {
    const read = template === undefined ? undefined : readTemplate(template);
    return read && "texts" in read ? read.columns : [];
  });
  const required = [...new Set(columns)];
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: `A row of ${data.name}`,
    type: "object",
    properties: Object.fromEntries(required.map((column) => [column, { anyOf: [{ type: "string" }, { type: "number" }] }])),
    required,
  };
};
