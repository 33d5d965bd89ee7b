// The diagnostic pages as text. Run from source this reads spec/diagnostics; the bundler replaces this module by one that holds
// the texts (build.ts), so the built command opens no file.

import { readdirSync, readFileSync } from "node:fs";

const folder = new URL("../../spec/diagnostics/", import.meta.url);

/** Code → its page. */
export const pages: ReadonlyMap<string, string> = new Map(
  readdirSync(folder)
    .filter((file) => file.endsWith(".md"))
    .sort()
    .map((file) => [file.slice(0, -".md".length), readFileSync(new URL(file, folder), "utf8")]),
);
