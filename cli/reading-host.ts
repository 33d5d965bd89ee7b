// Files as `check` reads them: a few small reads by position, each of which Node answers sooner on the spot than through its threads,
// whose start costs more than all of them together.

import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileError, type ReadableFile, type ReadingHost } from "../runtime/host.ts";
import { fromNode } from "../runtime/node-error.ts";

/** Paths as seen from a folder; messages name them as they were given. */
export const readingHost = (cwd: string): ReadingHost => ({
  kind: async (path) => {
    const stat = attempt(path, () => statSync(resolve(cwd, path), { throwIfNoEntry: false }));
    return stat && (stat.isDirectory() ? "folder" : "file");
  },
  read: async (path) => attempt(path, () => readFileSync(resolve(cwd, path))),
  open: async (path) => attempt(path, () => openFile(path, resolve(cwd, path))),
  list: async (folder) =>
    attempt(folder, () => {
      const isFolder = (name: string): boolean =>
        statSync(join(resolve(cwd, folder), name), { throwIfNoEntry: false })?.isDirectory() === true;
      const names = readdirSync(resolve(cwd, folder)).sort();
      return names.map((name) => ({ name, kind: isFolder(name) ? ("folder" as const) : ("file" as const) }));
    }),
});

const attempt = <T>(path: string, body: () => T): T => {
  try {
    return body();
  } catch (error) {
    throw fromNode(error, "read", path);
  }
};

const openFile = (path: string, absolute: string): ReadableFile => {
  const file = openSync(absolute, "r");
  const stat = fstatSync(file);
  if (stat.isDirectory()) {
    closeSync(file);
    throw fileError("is-folder", "read", path);
  }
  return {
    size: stat.size,
    read: async (position, into) =>
      attempt(path, () => {
        for (let done = 0; done < into.length; ) {
          const moved = readSync(file, into, done, Math.min(into.length - done, 1 << 30), position + done);
          if (moved === 0) throw fileError("shrank", "read", path);
          done += moved;
        }
      }),
    close: async () => closeSync(file),
  };
};
