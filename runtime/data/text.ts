// Plain text: every line that is not blank is a row with the one column `text`.

import { readLines } from "./lines.ts";
import type { Reader } from "./row.ts";

export const readText: Reader = async function* (host, path, problems) {
  for await (const lines of readLines(host, path, problems)) yield lines.map(({ number, text }) => ({ number, values: { text } }));
};
