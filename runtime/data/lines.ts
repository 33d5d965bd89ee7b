// Lines of a UTF-8 file with their numbers, read by position in blocks of a few megabytes. A line ends at \n or \r\n; a byte
// order mark at the very start is dropped. Invalid UTF-8 is reported with its line.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { ReadingHost } from "../host.ts";
import type { Problems } from "./row.ts";

export interface Line {
  readonly number: number;
  readonly text: string;
}

const blockSize = 4 << 20;
const strict = () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Blocks of whole lines, in order. Lines that are blank are left out. */
export async function* readLines(host: ReadingHost, path: string, problems: Problems): AsyncGenerator<readonly Line[]> {
  const file = await host.open(path);
  try {
    let rest = new Uint8Array(0);
    let number = 1;
    for (let at = 0; at < file.size; ) {
      const fresh = Math.min(blockSize, file.size - at);
      const block = new Uint8Array(rest.length + fresh);
      block.set(rest);
      await file.read(at, block.subarray(rest.length));
      if (at === 0 && block[0] === 0xef && block[1] === 0xbb && block[2] === 0xbf) block.fill(0x20, 0, 3);
      at += fresh;
      // A line longer than a block grows the rest until its end comes.
      const end = at === file.size ? block.length : block.lastIndexOf(0x0a) + 1;
      rest = block.slice(end);
      if (end === 0) continue;
      const lines = linesOf(block.subarray(0, end), number, path, problems);
      number += lines.count;
      if (lines.kept.length > 0) yield lines.kept;
    }
  } finally {
    await file.close();
  }
}

const linesOf = (bytes: Uint8Array, first: number, path: string, problems: Problems): { kept: Line[]; count: number } => {
  let text: string;
  try {
    text = strict().decode(bytes);
  } catch {
    return badLines(bytes, first, path, problems);
  }
  const parts = text.split("\n");
  if (text.endsWith("\n")) parts.pop();
  const kept: Line[] = [];
  for (let i = 0; i < parts.length; i++) {
    const line = parts[i]!;
    if (line.trim() !== "") kept.push({ number: first + i, text: line.endsWith("\r") ? line.slice(0, -1) : line });
  }
  return { kept, count: parts.length };
};

/** The slow way, once something is wrong: line by line, to name the lines. */
const badLines = (bytes: Uint8Array, first: number, path: string, problems: Problems): { kept: Line[]; count: number } => {
  const kept: Line[] = [];
  let number = first;
  for (let start = 0; start < bytes.length; number++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    try {
      const text = strict().decode(bytes.subarray(start, end)).replace(/\r$/, "");
      if (text.trim() !== "") kept.push({ number, text });
    } catch {
      problems.add(diagnostics.data_encoding(undefined, { place: `${path}:${number}` }, { help: "save the file as UTF-8" }));
    }
    start = end + 1;
  }
  return { kept, count: number - first };
};
