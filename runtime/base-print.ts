// Which base an adapter was made for: beside it lies a line for every tensor of that base, its dtype, its shape and a digest of its first
// bytes. Training moves every number of a tensor, so the first bytes tell two models of one shape apart, and a base of any size is told
// in a moment. Stands on files alone, so that checking a pipeline can use it without the rest of the runtime.

import { diagnostics } from "../spec/diagnostics.generated.ts";
import { DiagnosticError } from "./diagnostic-error.ts";
import { type Headers, sha256, summed } from "./headers.ts";
import { type Host, joinPath, type ReadableFile, type ReadingHost, writeWhole } from "./host.ts";
import { isRecord, parseJson } from "./json.ts";

/** Other libraries leave alone what they do not know. */
export const basePrintFile = "base.json";

/** Bytes of each tensor that are digested. */
const looked = 4096;

/** Tensor → "F32 [64, 64] 3f2a9c81d7e0b654". */
export type BasePrint = Readonly<Record<string, string>>;

export const printOf = async (host: ReadingHost, { tensors }: Headers): Promise<BasePrint> => {
  const open = new Map<string, ReadableFile>();
  const lines: Record<string, string> = {};
  try {
    for (const [name, { path, dtype, shape, start, bytes }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const file = open.get(path) ?? (await host.open(path));
      open.set(path, file);
      const first = new Uint8Array(Math.min(bytes, looked));
      await file.read(start, first);
      lines[name] = `${dtype} [${shape.join(", ")}] ${(await sha256(first)).slice(0, 16)}`;
    }
  } finally {
    for (const file of open.values()) await file.close();
  }
  return lines;
};

/** Writes the print beside an adapter. */
export const saveBasePrint = (host: Host, folder: string, print: BasePrint): Promise<void> =>
  writeWhole(host, joinPath(folder, basePrintFile), `${JSON.stringify({ tensors: print }, undefined, 1)}\n`);

/** What lies beside an adapter; undefined where it says nothing of its base. */
export const readBasePrint = async (host: ReadingHost, folder: string): Promise<BasePrint | undefined> => {
  const path = joinPath(folder, basePrintFile);
  if ((await host.kind(path)) !== "file") return undefined;
  const parsed = parseJson(await host.read(path));
  const print = "value" in parsed && isRecord(parsed.value) ? parsed.value.tensors : undefined;
  if (isRecord(print) && Object.values(print).every((line) => typeof line === "string")) return print as BasePrint;
  throw new DiagnosticError([
    diagnostics.base_print_unreadable(undefined, { file: path }, { help: "save the adapter again, or remove the file" }),
  ]);
};

/** One line for each tensor in which the base that an adapter was made for and another differ. */
export const printsApart = (made: BasePrint, here: BasePrint): readonly string[] =>
  [...new Set([...Object.keys(made), ...Object.keys(here)])].sort().flatMap((name) => {
    const [then, now] = [made[name], here[name]];
    if (then === now) return [];
    if (then === undefined) return [`${name}: ${form(now!)} is not in the base that it was made for`];
    if (now === undefined) return [`${name}: it was made for a base with ${form(then)}, it is not there`];
    if (form(then) !== form(now)) return [`${name}: it was made for ${form(then)}, here is ${form(now)}`];
    return [`${name}: ${form(now)} with other numbers`];
  });

const form = (line: string): string => line.slice(0, line.lastIndexOf(" "));

/** Throws a DiagnosticError that lists every tensor of the base that is another than the adapter's. */
export const holdBase = async (host: ReadingHost, folder: string, base: Headers): Promise<void> => {
  const made = await readBasePrint(host, folder);
  const lines = made ? printsApart(made, await printOf(host, base)) : [];
  if (lines.length > 0)
    throw new DiagnosticError([
      diagnostics.other_base(undefined, { folder, count: lines.length, total: base.tensors.size }, { notes: summed(lines) }),
    ]);
};
