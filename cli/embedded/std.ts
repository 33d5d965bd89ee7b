// The standard library as text. Run from source this reads stdlib/; the bundler replaces this module by one that holds the
// texts (build.ts), so the built command opens no file.

import { readdirSync, readFileSync } from "node:fs";

const folder = new URL("../../stdlib/", import.meta.url);

/** Path inside stdlib/ → text. */
export const std: ReadonlyMap<string, string> = new Map(
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".peft"))
    .sort()
    .map((file) => [file, readFileSync(new URL(file, folder), "utf8")]),
);
