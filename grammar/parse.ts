// Text in, tree and diagnostics out: scan, then parse. Never throws on any text; what could not be read is missing from the tree
// and present in the diagnostics.

import type { Diagnostic } from "../spec/diagnostic.ts";
import { PeftParser } from "./pipeline.ts";
import { scan } from "./tokens.ts";
import type { File } from "./tree.ts";

/** Made once, on first use: its start is most of what a short file costs. It keeps nothing from one text to the next. */
let parser: PeftParser | undefined;

/** Reads one file. `file` is its name in spans. The tree holds every item that could be read, also when there are mistakes. */
export const parse = (text: string, file: string): { file: File; diagnostics: Diagnostic[] } => {
  parser ??= new PeftParser(false);
  const source = scan(text, file);
  const read = parser.parse(source);
  const diagnostics = [...source.diagnostics, ...read.diagnostics].sort((a, b) => (a.at?.start ?? 0) - (b.at?.start ?? 0));
  return { file: read.file, diagnostics };
};
