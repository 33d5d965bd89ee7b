// The standard library's syntax trees as JSON: the bundler reads the library once, so that no run of the built command does.
// From source, they are made here when this is loaded.

import { parse } from "../../grammar/parse.ts";
import { std } from "./std.ts";

/** Path inside stdlib/ → its tree. */
export const trees: ReadonlyMap<string, string> = new Map(
  [...std].map(([path, text]) => {
    const { file, diagnostics } = parse(text, `std/${path}`);
    if (diagnostics.length) throw new Error(`stdlib/${path}: ${diagnostics[0]!.message}`);
    return [path, JSON.stringify(file)];
  }),
);
