// Files in memory: what a browser tab has, and what the tests break on purpose. Same promises as node-host.ts; a quota makes
// the disk full at a chosen byte.

import { type Entry, fileError, type Host, nameOf, parentOf } from "./host.ts";

export interface MemoryHost extends Host {
  readonly files: Map<string, Uint8Array>;
}

const clean = (path: string): string => {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
};

/** An empty one. `quota` is the number of bytes that can be written before the disk is full. */
export const memoryHost = (options: { readonly quota?: number } = {}): MemoryHost => {
  const files = new Map<string, Uint8Array>();
  const folders = new Set<string>(["/"]);
  let written = 0;
  let temporary = 0;

  const kind = (path: string) => (files.has(path) ? ("file" as const) : folders.has(path) ? ("folder" as const) : undefined);
  const within = (path: string, folder: string) => path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
  const get = (path: string): Uint8Array => {
    const bytes = files.get(clean(path));
    if (bytes) return bytes;
    throw fileError(folders.has(clean(path)) ? "is-folder" : "missing", "read", path);
  };

  return {
    files,
    kind: async (path) => kind(clean(path)),
    read: async (path) => get(path).slice(),
    open: async (path) => {
      const bytes = get(path);
      return {
        size: bytes.length,
        read: async (position, into) => {
          if (position + into.length > bytes.length) throw fileError("shrank", "read", path);
          into.set(bytes.subarray(position, position + into.length));
        },
        close: async () => {},
      };
    },
    create: async (path) => {
      const target = clean(path);
      if (folders.has(target)) throw fileError("is-folder", "write", path);
      if (!folders.has(parentOf(target))) throw fileError("missing", "write", path);
      const partial = `${parentOf(target) === "/" ? "" : parentOf(target)}/.${nameOf(target)}.${temporary++}.part`;
      files.set(partial, new Uint8Array());
      return {
        write: async (bytes) => {
          if (written + bytes.length > (options.quota ?? Number.POSITIVE_INFINITY)) throw fileError("full", "write", path);
          written += bytes.length;
          const before = files.get(partial)!;
          const after = new Uint8Array(before.length + bytes.length);
          after.set(before);
          after.set(bytes, before.length);
          files.set(partial, after);
        },
        commit: async () => {
          files.set(target, files.get(partial)!);
          files.delete(partial);
        },
        abort: async () => {
          files.delete(partial);
        },
      };
    },
    list: async (path) => {
      const folder = clean(path);
      if (!folders.has(folder)) throw fileError("missing", "read", path);
      const found: Entry[] = [];
      for (const file of files.keys()) if (parentOf(file) === folder) found.push({ name: nameOf(file), kind: "file" });
      for (const inner of folders) if (inner !== "/" && parentOf(inner) === folder) found.push({ name: nameOf(inner), kind: "folder" });
      return found.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    makeFolder: async (path) => {
      for (let folder = clean(path); folder !== "/"; folder = parentOf(folder)) {
        if (files.has(folder)) throw fileError("not-folder", "write", path);
        folders.add(folder);
      }
    },
    rename: async (from, to) => {
      const [a, b] = [clean(from), clean(to)];
      if (kind(a) === undefined) throw fileError("missing", "write", from);
      if (kind(b) !== undefined) throw fileError("other", "write", to, "it is already there");
      for (const [path, bytes] of [...files])
        if (within(path, a)) {
          files.delete(path);
          files.set(b + path.slice(a.length), bytes);
        }
      for (const path of [...folders])
        if (within(path, a)) {
          folders.delete(path);
          folders.add(b + path.slice(a.length));
        }
    },
    remove: async (path) => {
      for (const file of [...files.keys()]) if (within(file, clean(path))) files.delete(file);
      for (const folder of [...folders]) if (folder !== "/" && within(folder, clean(path))) folders.delete(folder);
    },
    resolve: async (folder, path) => clean(path.startsWith("/") ? path : `${folder}/${path}`),
  };
};
