// Files on Node: the only file of the runtime that imports node:fs.
// Invariant: a name appears with all of its bytes or not at all (temporary name, fsync, rename, fsync of the folder).

import { promises as fs } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { fileError, type Host, type PageFile, type ReadableFile, type WritableFile } from "./host.ts";
import { fromNode } from "./node-error.ts";

const attempt = async <T>(doing: "read" | "write", path: string, body: () => Promise<T>): Promise<T> => {
  try {
    return await body();
  } catch (error) {
    throw fromNode(error, doing, path);
  }
};

/** A handle that its maker cannot give on is closed. */
const orClosed = <T>(handle: fs.FileHandle, doing: Promise<T>): Promise<T> =>
  doing.catch(async (error: unknown) => {
    await handle.close();
    throw error;
  });

/** A rename is safe from a power cut only once the folder that holds the name is on the disk. Windows cannot, and need not. */
const syncFolder = async (folder: string): Promise<void> => {
  if (process.platform === "win32") return;
  const handle = await fs.open(folder, "r");
  await handle.sync().finally(() => handle.close());
};

const openPages = (path: string, bytes: number): Promise<PageFile> =>
  attempt("write", path, async () => {
    const handle = await fs.open(path, "w+");
    await orClosed(handle, handle.truncate(bytes));
    const whole = async (count: number, move: (done: number) => Promise<number>): Promise<void> => {
      for (let done = 0; done < count; ) {
        const moved = await move(done);
        if (moved === 0) throw fileError("shrank", "read", path);
        done += moved;
      }
    };
    return {
      read: (position, into) =>
        attempt("read", path, () =>
          whole(into.length, async (done) => (await handle.read(into, done, into.length - done, position + done)).bytesRead),
        ),
      write: (position, from) =>
        attempt("write", path, () =>
          whole(from.length, async (done) => (await handle.write(from, done, from.length - done, position + done)).bytesWritten),
        ),
      close: async () => {
        await handle.close();
        await fs.rm(path, { force: true });
      },
    };
  });

const openFile = (path: string): Promise<ReadableFile> =>
  attempt("read", path, async () => {
    const handle = await fs.open(path, "r");
    const stat = await orClosed(handle, handle.stat());
    if (stat.isDirectory()) {
      await handle.close();
      throw fileError("is-folder", "read", path);
    }
    return {
      size: stat.size,
      read: (position, into) =>
        attempt("read", path, async () => {
          let done = 0;
          while (done < into.length) {
            // One read of Linux moves at most 2^31 bytes.
            const { bytesRead } = await handle.read(into, done, Math.min(into.length - done, 1 << 30), position + done);
            if (bytesRead === 0) throw fileError("shrank", "read", path);
            done += bytesRead;
          }
        }),
      close: () => handle.close(),
    };
  });

let temporary = 0;

const createFile = (path: string): Promise<WritableFile> =>
  attempt("write", path, async () => {
    const partial = join(dirname(path), `.${basename(path)}.${process.pid}-${temporary++}.part`);
    const handle = await fs.open(partial, "wx");
    let open = true;
    let done = false;
    const close = async () => {
      if (open) {
        open = false;
        await handle.close();
      }
    };
    return {
      write: (bytes) =>
        attempt("write", path, async () => {
          let at = 0;
          while (at < bytes.length) at += (await handle.write(bytes, at, Math.min(bytes.length - at, 1 << 30))).bytesWritten;
        }),
      commit: () =>
        attempt("write", path, async () => {
          await handle.sync();
          await close();
          await fs.rename(partial, path);
          done = true;
          await syncFolder(dirname(path));
        }),
      abort: async () => {
        await close().catch(() => {});
        if (!done) await fs.rm(partial, { force: true }).catch(() => {});
      },
    };
  });

/** As `mkdir -p`. Node's own recursive form never returns where a file system says that the parent is missing although it is there (/proc). */
const makeWithParents = async (folder: string): Promise<void> => {
  const make = (): Promise<"made" | "missing"> =>
    fs.mkdir(folder).then(
      () => "made" as const,
      async (error: NodeJS.ErrnoException) => {
        if (error.code === "EEXIST" && (await fs.stat(folder)).isDirectory()) return "made" as const;
        if (error.code === "ENOENT" && dirname(folder) !== folder) return "missing" as const;
        throw error;
      },
    );
  if ((await make()) === "made") return;
  await makeWithParents(dirname(folder));
  if ((await make()) === "missing") throw Object.assign(new Error(`cannot make ${folder}`), { code: "ENOENT" });
};

let garbage: (() => void) | undefined;

/** The engine's collector does not see what arrays weigh beside the machine's memory; it is called where much was just let go. */
const collect = (): void => {
  if (!garbage) {
    setFlagsFromString("--expose-gc");
    garbage = runInNewContext("gc") as () => void;
  }
  garbage();
};

export const nodeHost: Host = {
  collect,
  kind: async (path) => {
    try {
      return (await fs.stat(path)).isDirectory() ? "folder" : "file";
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOENT" || code === "ENOTDIR") return undefined;
      throw fromNode(error, "read", path);
    }
  },
  read: (path) => attempt("read", path, () => fs.readFile(path)),
  open: openFile,
  pages: openPages,
  create: createFile,
  list: (folder) =>
    attempt("read", folder, async () =>
      // A link counts as what it points to: Hugging Face's cache is made of links.
      (
        await Promise.all(
          (
            await fs.readdir(folder, { withFileTypes: true })
          ).map(async (entry) => {
            const folderLike = entry.isSymbolicLink()
              ? await fs.stat(join(folder, entry.name)).then(
                  (stat) => stat.isDirectory(),
                  () => false,
                )
              : entry.isDirectory();
            return { name: entry.name, kind: folderLike ? ("folder" as const) : ("file" as const) };
          }),
        )
      ).sort((a, b) => (a.name < b.name ? -1 : 1)),
    ),
  makeFolder: (folder) => attempt("write", folder, () => makeWithParents(folder)),
  rename: (from, to) =>
    attempt("write", to, async () => {
      await fs.rename(from, to);
      await syncFolder(dirname(to));
    }),
  remove: (path) => attempt("write", path, () => fs.rm(path, { recursive: true, force: true })),
  resolve: async (folder, path) => {
    const absolute = resolve(folder, path);
    // The part that exists is freed of links; the rest is kept as written.
    let head = absolute;
    let tail = "";
    for (;;) {
      try {
        return join(await fs.realpath(head), tail);
      } catch {
        if (dirname(head) === head) return absolute;
        tail = join(basename(head), tail);
        head = dirname(head);
      }
    }
  },
};
