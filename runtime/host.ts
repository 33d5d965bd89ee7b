// The runtime's only way to files. Paths are text with "/" between names; every failure is thrown as a DiagnosticError that
// names the path. node-host.ts is the one for Node, memory-host.ts the one for a browser tab and for tests.

import { nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { DiagnosticError } from "./diagnostic-error.ts";

/** A file open for reading at any position. */
export interface ReadableFile {
  readonly size: number;
  /** Fills `into` from `position` on. The caller stays within `size`; a file that shrank meanwhile is a diagnostic. */
  read(position: number, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** A file being written under a temporary name. It has its own name only after `commit`. */
export interface WritableFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Forces the bytes to the disk and gives the file its name, replacing an older one. */
  commit(): Promise<void>;
  /** Removes the temporary file. Harmless after `commit`. */
  abort(): Promise<void>;
}

/** A file of a known size that is read and written at any position. Zeros at first; gone after `close`. */
export interface PageFile {
  read(position: number, into: Uint8Array): Promise<void>;
  write(position: number, from: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export interface Entry {
  readonly name: string;
  readonly kind: "file" | "folder";
}

/** Files as they are read: all that checking needs. */
export interface ReadingHost {
  kind(path: string): Promise<"file" | "folder" | undefined>;
  /** The whole file. */
  read(path: string): Promise<Uint8Array>;
  open(path: string): Promise<ReadableFile>;
  /** Sorted by name; an absent folder is a diagnostic. */
  list(folder: string): Promise<readonly Entry[]>;
}

export interface Host extends ReadingHost {
  create(path: string): Promise<WritableFile>;
  /** Where there are files that can be written at any position. */
  pages?(path: string, bytes: number): Promise<PageFile>;
  /** With its parents; an existing one is fine. */
  makeFolder(folder: string): Promise<void>;
  /** Renames a file or folder and forces the change to the disk. `to` must be absent. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, or a folder with all that is in it; absent is fine. */
  remove(path: string): Promise<void>;
  /** Frees memory that nothing refers to any more, where that can be asked for. */
  collect?(): void;
  /** `path` as seen from `folder`, absolute and without links: equal for two names of one place. */
  resolve(folder: string, path: string): Promise<string>;
}

export type FileTrouble = "missing" | "denied" | "read-only" | "full" | "is-folder" | "not-folder" | "shrank" | "other";

const reasons: Readonly<Record<FileTrouble, string>> = {
  missing: "there is no such file",
  denied: "permission denied",
  "read-only": "it is on a read-only file system",
  full: "no space is left on the disk",
  "is-folder": "it is a folder",
  "not-folder": "a part of the path is a file",
  shrank: "it became shorter while it was being read",
  other: "the operating system refused",
};

/** The diagnostic of a failed file operation. `detail` replaces the reason when the trouble is "other". */
export const fileError = (trouble: FileTrouble, doing: "read" | "write", path: string, detail?: string): DiagnosticError => {
  const reason = trouble === "other" && detail ? detail : reasons[trouble];
  if (trouble === "full")
    return new DiagnosticError([
      diagnostics.disk_full(undefined, { path }, { help: "free some space, or write to another disk; what was begun has been removed" }),
    ]);
  if (doing === "write") return new DiagnosticError([diagnostics.write_failed(undefined, { path, reason })]);
  if (trouble === "missing") return new DiagnosticError([diagnostics.file_missing(undefined, { path })]);
  return new DiagnosticError([diagnostics.read_failed(undefined, { path, reason })]);
};

export const joinPath = (folder: string, name: string): string =>
  folder === "" ? name : folder.endsWith("/") ? folder + name : `${folder}/${name}`;

export const parentOf = (path: string): string => {
  const cut = path.replace(/\/+$/, "").lastIndexOf("/");
  return cut < 0 ? "." : cut === 0 ? "/" : path.slice(0, cut);
};

export const nameOf = (path: string): string => path.replace(/\/+$/, "").slice(path.replace(/\/+$/, "").lastIndexOf("/") + 1);

/** Reads a whole file; an absent one is a diagnostic that lists what lies beside it and the nearest name. */
export const readNamed = async (host: ReadingHost, path: string): Promise<Uint8Array> => {
  if ((await host.kind(path)) === undefined) throw await missing(host, path);
  return host.read(path);
};

/** The diagnostic of an absent file, with the near names. */
export const missing = async (host: ReadingHost, path: string): Promise<DiagnosticError> => {
  const folder = parentOf(path);
  if ((await host.kind(folder)) !== "folder")
    return new DiagnosticError([
      diagnostics.file_missing(undefined, { path }, { notes: [{ message: `there is no folder ${folder} either` }] }),
    ]);
  const names = (await host.list(folder)).map((entry) => entry.name);
  const near = nearest(nameOf(path), names);
  const shown = names.slice(0, 12).join(", ") + (names.length > 12 ? `, and ${names.length - 12} more` : "");
  return new DiagnosticError([
    diagnostics.file_missing(
      undefined,
      { path },
      {
        notes: [{ message: names.length ? `${folder} has: ${shown}` : `${folder} is empty` }],
        ...(near !== undefined && { help: `did you mean \`${near}\`?` }),
      },
    ),
  ]);
};

/** Writes a small file whole: all of it, or none of it. */
export const writeWhole = async (host: Host, path: string, bytes: Uint8Array | string): Promise<void> => {
  const file = await host.create(path);
  try {
    await file.write(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
    await file.commit();
  } finally {
    await file.abort();
  }
};
