// What of the hub lies on this machine. The cache is Hugging Face's own, so what its other tools have fetched is found here, and what is
// fetched here by them:
//
//   CACHE/models--ORG--NAME/blobs/ETAG                     a file, by its checksum; ETAG.incomplete while it is fetched
//   CACHE/models--ORG--NAME/refs/REVISION                  the commit that a branch or tag was when it was last asked for
//   CACHE/models--ORG--NAME/snapshots/COMMIT/FILE          links into blobs/
//
// Reads names and one small file, and never the network, so `check` can ask.

import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { indexFile, weightsFile } from "../../runtime/weight-files.ts";
import { isCommit, type Place } from "./place.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** By the variables of Hugging Face's own tools, in their order. */
export const cacheFolder = (env: Environment): string =>
  env.HF_HUB_CACHE ??
  env.HUGGINGFACE_HUB_CACHE ??
  join(env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface"), "hub");

export const isOffline = ({ HF_HUB_OFFLINE: value = "" }: Environment): boolean => /^(1|on|yes|true)$/i.test(value);

/** Where all revisions of a model lie. */
export const modelFolder = ({ name }: Place, env: Environment): string => join(cacheFolder(env), `models--${name.replaceAll("/", "--")}`);

export const snapshotFolder = (place: Place, commit: string, env: Environment): string =>
  join(modelFolder(place, env), "snapshots", commit);

/** The commit that the revision is here; undefined when it was never asked for. */
export const cachedCommit = (place: Place, env: Environment): string | undefined => {
  if (isCommit(place.revision)) return place.revision;
  const commit = textOf(join(modelFolder(place, env), "refs", place.revision))?.trim();
  return commit !== undefined && isCommit(commit) ? commit : undefined;
};

/** The folder of the cached copy; where there is none, the one that it would have. */
export const copyFolder = (place: Place, env: Environment): string =>
  snapshotFolder(place, cachedCommit(place, env) ?? place.revision, env);

/** Files that a base needs and the folder has not. `weights`: the numbers are needed, and not the shape alone. */
export const lacking = (folder: string, weights: boolean): readonly string[] => {
  const there = (file: string): boolean => existsSync(join(folder, file));
  const config = there("config.json") ? [] : ["config.json"];
  if (!weights || there(weightsFile)) return config;
  const index = textOf(join(folder, indexFile));
  return [...config, ...(index === undefined ? [weightsFile] : shardsOf(index).filter((file) => !there(file)))];
};

/** The files that an index names; none where it is no index, which the reader of checkpoints says. */
export const shardsOf = (index: string): readonly string[] => {
  try {
    const { weight_map: map } = JSON.parse(index) as { readonly weight_map?: Readonly<Record<string, string>> };
    return [...new Set(Object.values(map ?? {}))].filter((file) => typeof file === "string").sort();
  } catch {
    return [];
  }
};

const textOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};
