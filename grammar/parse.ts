// Text in, tree and diagnostics out: scan, then parse. Never throws on any text; what could not be read is missing from the tree
// and present in the diagnostics.

import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { firstSets } from "./first-sets.ts";
import { PeftParser } from "./pipeline.ts";
import { MAX_MISTAKES, scan } from "./tokens.ts";
import type { File } from "./tree.ts";

/** Made once, on first use: its start is most of what a short file costs. It keeps nothing from one text to the next. */
let parser: PeftParser | undefined;

/** Characters a file may have: about fifty thousand lines. */
const MAX_SIZE = 2 ** 21;

/** Reads one file. `file` is its name in spans. The tree holds every item that could be read, also when there are mistakes. */
export const parse = (text: string, file: string): { file: File; diagnostics: Diagnostic[] } => {
  if (text.length > MAX_SIZE) {
    const at = { file, start: 0, end: 0 };
    const help = "is this the right file? Data and weights are named in a `.peft` file, not kept in one";
    return {
      file: { kind: "file", at, items: [], comments: [] },
      diagnostics: [diagnostics.file_too_large(at, { size: text.length, limit: MAX_SIZE }, { help })],
    };
  }
  parser ??= new PeftParser(firstSets);
  const source = scan(text, file);
  const read = parser.parse(source);
  const found = [...source.diagnostics, ...read.diagnostics].sort((a, b) => (a.at?.start ?? 0) - (b.at?.start ?? 0));
  if (found.length > MAX_MISTAKES) {
    const last = found[MAX_MISTAKES]?.at;
    found.splice(MAX_MISTAKES, Number.POSITIVE_INFINITY, diagnostics.too_many_mistakes(last, { limit: MAX_MISTAKES }));
  }
  return { file: read.file, diagnostics: found };
};
