// The first rows of a data file, checked as a run would check them: what makes `peft check` see a column that is not there. Reads
// 64 KiB; a file is cut behind its last whole line. Of a .parquet file it reads the footer and the first row group, where that is not too
// large; a list in one .json file is looked at when it is small.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import type { Split } from "../../spec/job-data.ts";
import type { RowColumns } from "../../spec/row-columns.ts";
import { DiagnosticError } from "../diagnostic-error.ts";
import type { ReadableFile, ReadingHost } from "../host.ts";
import { firstGroupBytes } from "./parquet.ts";
import { readRows } from "./read.ts";

const most = 64 << 10;
const small = 1 << 20;
/** The largest row group that is read. */
const largestGroup = 16 << 20;
/** Rows of it that are looked at. */
const few = 100;

/** What is wrong with the first rows of `path`; nothing when they are fine, or cannot be told from the beginning. */
export const peekRows = async (host: ReadingHost, path: string, split: Split, columns: RowColumns): Promise<readonly Diagnostic[]> => {
  const bytes = (await host.kind(path)) === "file" ? await sizeOf(host, path) : 0;
  const cut = bytes > most && (split.reader === "jsonl" || split.reader === "text" || split.reader === "csv");
  const group = split.reader === "parquet" && bytes > small;
  if (group ? (await firstGroupBytes(host, path)) > largestGroup : bytes > small && !cut) return [];
  const begun = cut ? await beginning(host, path) : host;
  if (!begun) return [];
  const { name, reader, skip, columns: named } = split;
  try {
    // `skip` may leave none of these rows, and the columns are the same.
    const part = group ? { rows: few } : skip !== undefined && !cut ? { skip } : {};
    await readRows(begun, { name, reader, path, ...(named && { columns: named }), ...part }, "", columns);
    return [];
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    if (!cut && !group) return error.diagnostics;
    return error.diagnostics.filter(
      ({ code, about }) =>
        // A quoted field may run over the cut, and a column that some rows have may come later.
        !(split.reader === "csv" && code === "PEFT0566") &&
        !(code === "PEFT0567" && about?.column !== undefined && columns.optional.includes(about.column)),
    );
  }
};

/** Columns of the first rows of a file. Throws a DiagnosticError. */
export const columnsOf = async (host: ReadingHost, path: string, split: Split): Promise<readonly string[]> => {
  const begun =
    (await sizeOf(host, path)) > most && split.reader !== "json" && split.reader !== "parquet" ? await beginning(host, path) : host;
  const { name, reader, columns } = split;
  const first = { name, reader, path, ...(columns && { columns }), rows: 100 };
  const rows = await readRows(begun ?? host, first, "", { needed: [], optional: [] });
  return [...new Set(rows.flatMap(({ values }) => Object.keys(values)))];
};

const sizeOf = async (host: ReadingHost, path: string): Promise<number> => {
  const file = await host.open(path);
  await file.close();
  return file.size;
};

/** The host as it is, but for this file, which ends behind its last line within the first 64 KiB; undefined when none ends there. */
const beginning = async (host: ReadingHost, path: string): Promise<ReadingHost | undefined> => {
  const file = await host.open(path);
  const block = new Uint8Array(most);
  try {
    await file.read(0, block);
  } finally {
    await file.close();
  }
  const bytes = block.slice(0, block.lastIndexOf(0x0a) + 1);
  if (bytes.length === 0) return undefined;
  const opened: ReadableFile = {
    size: bytes.length,
    read: async (position, into) => into.set(bytes.subarray(position, position + into.length)),
    close: async () => {},
  };
  return {
    ...host,
    open: async (other) => (other === path ? opened : host.open(other)),
    read: async (other) => (other === path ? bytes.slice() : host.read(other)),
  };
};
