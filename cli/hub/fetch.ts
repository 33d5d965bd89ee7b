// Files of a place of the hub -> the cache, through @huggingface/hub. In: a place. Out: a snapshot folder with every file that a base is
// made of, and the commit it is of.
//
// Invariant: a name in the cache stands for whole files with the hub's checksum. A file grows as ETAG.incomplete, goes on where an earlier
// fetch stopped, and gets its name when its checksum is right; a branch points to the new commit when all its files are there. So whatever
// is interrupted, what was cached before stays as it was.

import { existsSync, promises as fs } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { ListFileEntry } from "@huggingface/hub";
import { DiagnosticError } from "../../runtime/diagnostic-error.ts";
import { fromNode } from "../../runtime/node-error.ts";
import { indexFile, weightsFile } from "../../runtime/weight-files.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { cacheFolder, type Environment, isOffline, modelFolder, shardsOf, snapshotFolder } from "./cache.ts";
import { checksumOf, startChecksum } from "./checksum.ts";
import { type Hub, openHub } from "./hub.ts";
import { isCommit, type Place, writePlace } from "./place.ts";

export interface Fetched {
  readonly commit: string;
  readonly folder: string;
  /** Files that were not there, or were damaged. */
  readonly files: readonly string[];
  /** What came over the network. */
  readonly bytes: number;
}

export interface FetchOptions {
  readonly env: Environment;
  /** The numbers are needed, and not the shape alone. */
  readonly weights: boolean;
  /** Files that are there are held to their checksums, too. */
  readonly verify: boolean;
  /** What of a file is there, in bytes. */
  readonly listen: (file: string, done: number, total: number) => void;
}

/** A file of the hub: what its checksum is, and how long it is. */
interface Wanted {
  readonly path: string;
  readonly size: number;
  /** sha256 of what is stored apart, else the sha1 that git names it by. */
  readonly etag: string;
}

/** Throws a DiagnosticError. */
export const fetchPlace = async (place: Place, options: FetchOptions): Promise<Fetched> => {
  const { env } = options;
  if (isOffline(env)) throw new DiagnosticError([diagnostics.hub_offline(undefined, { place: writePlace(place) }, offlineDetails(env))]);
  const hub = await openHub(place, env);
  const commit = await hub.commit();
  const there = new Map((await hub.files(commit)).flatMap((entry) => wantedOf(entry) ?? []).map((file) => [file.path, file]));
  const model = modelFolder(place, env);
  const snapshot = snapshotFolder(place, commit, env);
  const came: string[] = [];
  let bytes = 0;
  const get = async (file: Wanted): Promise<void> => {
    const got = await getFile(file, { hub, commit, model, snapshot, ...options });
    if (got === undefined) return;
    came.push(file.path);
    bytes += got;
  };
  for (const file of there.values()) if (isBeside(file.path)) await get(file);
  if (options.weights) for (const file of await weightsOf(place, there, snapshot, get)) await get(file);
  if (!isCommit(place.revision)) await writeRef(join(model, "refs", place.revision), commit);
  return { commit, folder: snapshot, files: came, bytes };
};

const offlineDetails = (env: Environment) => ({
  notes: [{ message: `looked in ${cacheFolder(env)}` }],
  help: "unset HF_HUB_OFFLINE and run it again, or copy the cache from a machine that has it",
});

const wantedOf = ({ type, path, size, oid, lfs }: ListFileEntry): Wanted | undefined => {
  const etag = lfs?.oid ?? oid;
  return type === "file" && etag !== undefined ? { path, size: lfs?.size ?? size, etag } : undefined;
};

/** What lies beside the weights and belongs to the model: its config, its tokenizer, its templates. */
const isBeside = (path: string): boolean => /^[^/]+\.(json|jinja|txt|model)$/.test(path);

/** As the reader of checkpoints chooses: one file before an index. */
const weightsOf = async (
  place: Place,
  there: ReadonlyMap<string, Wanted>,
  snapshot: string,
  get: (file: Wanted) => Promise<void>,
): Promise<readonly Wanted[]> => {
  const single = there.get(weightsFile);
  if (single) return [single];
  const index = there.get(indexFile);
  if (!index) throw withoutWeights(place, [...there.keys()]);
  await get(index);
  return shardsOf(await fs.readFile(join(snapshot, indexFile), "utf8")).map((name) => {
    const shard = there.get(name);
    if (shard) return shard;
    throw new DiagnosticError([
      diagnostics.checkpoint_shards(
        undefined,
        { folder: writePlace(place) },
        { notes: [{ message: `its index names ${name}, which the hub does not have` }] },
      ),
    ]);
  });
};

const withoutWeights = (place: Place, names: readonly string[]): DiagnosticError => {
  const other = names.filter((name) => /\.(bin|pt|pth|ckpt|h5|msgpack|gguf|onnx)$/.test(name));
  return new DiagnosticError([
    diagnostics.checkpoint_no_weights(
      undefined,
      { folder: writePlace(place) },
      {
        notes: [{ message: other.length ? `it has ${other.slice(0, 6).join(", ")}` : `it has: ${names.slice(0, 12).join(", ")}` }],
        help: other.length
          ? "many models have a revision with safetensors, `@refs/convert/safetensors` or `@refs/pr/N`; or convert it once and name its folder"
          : "name a model that has weights",
      },
    ),
  ]);
};

interface Getting extends FetchOptions {
  readonly hub: Hub;
  readonly commit: string;
  readonly model: string;
  readonly snapshot: string;
}

/** Bytes that came; undefined when the file was there. */
const getFile = async (file: Wanted, getting: Getting): Promise<number | undefined> => {
  const link = join(getting.snapshot, file.path);
  const blob = join(getting.model, "blobs", file.etag);
  return onDisk(link, async () => {
    const there = existsSync(link);
    if (there && (!getting.verify || (await checksumOf(link, file)) === file.etag)) return undefined;
    if (there) await fs.rm(link);
    if (existsSync(blob) && (await checksumOf(blob, file)) !== file.etag) await fs.rm(blob);
    await fs.mkdir(dirname(blob), { recursive: true });
    await fs.mkdir(dirname(link), { recursive: true });
    const came = existsSync(blob) ? 0 : await download(file, blob, getting);
    await linkTo(blob, link);
    return came;
  });
};

/** As many as a bad line may need; each must bring something. */
const attempts = 20;

const download = async (file: Wanted, blob: string, { hub, commit, listen }: Getting): Promise<number> => {
  const partial = `${blob}.incomplete`;
  let came = 0;
  // What an earlier fetch left may be of another life of the disk: one that does not fit is begun anew, once.
  for (const fresh of [false, true]) {
    if (fresh) await fs.rm(partial, { force: true });
    const sum = startChecksum(file);
    const out = await fs.open(partial, "a+");
    try {
      const before = (await out.stat()).size > file.size ? 0 : (await out.stat()).size;
      await out.truncate(before);
      let done = 0;
      for await (const piece of out.createReadStream({ start: 0, autoClose: false })) {
        sum.update(piece as Buffer);
        done += (piece as Buffer).length;
      }
      listen(file.path, done, file.size);
      for (let left = attempts; done < file.size; left--) {
        const start = done;
        try {
          for await (const piece of hub.read(commit, file.path, start)) {
            if (done + piece.length > file.size) throw new Error("more came than the file has");
            await out.write(piece);
            sum.update(piece);
            done += piece.length;
            came += piece.length;
            listen(file.path, done, file.size);
          }
          if (done < file.size) throw new Error("the connection ended early");
        } catch (error) {
          if (error instanceof DiagnosticError) throw error;
          if (done === start || left <= 1) throw hub.broken(error, file.path, done, file.size);
        }
      }
      if (sum.digest() === file.etag) {
        await out.sync();
        await fs.rename(partial, blob);
        return came;
      }
    } finally {
      await out.close();
    }
  }
  await fs.rm(partial, { force: true });
  throw new DiagnosticError([
    diagnostics.hub_damaged(
      undefined,
      { file: file.path },
      {
        notes: [{ message: `${hub.endpoint} says ${file.etag}` }],
        help: "it was removed; run it again, and ask whoever runs a mirror or a proxy",
      },
    ),
  ]);
};

/** A link as other tools make it; a copy where the system allows no links. */
const linkTo = async (blob: string, link: string): Promise<void> => {
  try {
    await fs.symlink(relative(dirname(link), blob), link);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
    await fs.copyFile(blob, link);
  }
};

const writeRef = (path: string, commit: string): Promise<void> =>
  onDisk(path, async () => {
    await fs.mkdir(dirname(path), { recursive: true });
    await fs.writeFile(`${path}.new`, commit);
    await fs.rename(`${path}.new`, path);
  });

const onDisk = async <T>(path: string, body: () => Promise<T>): Promise<T> => {
  try {
    return await body();
  } catch (error) {
    throw fromNode(error, "write", path);
  }
};
