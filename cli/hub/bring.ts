// Bases of the hub that a job reads -> in the cache before anything else is done, with the bytes told as they come.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { blaming } from "../../runtime/diagnostic-error.ts";
import type { Listener } from "../../runtime/events.ts";
import type { Job } from "../../spec/job.ts";
import { cachedCommit, copyFolder, type Environment, isOffline, lacking } from "./cache.ts";
import { isHubPlace, type Place, readPlace, writePlace } from "./place.ts";

/** Whether a run would have to fetch: a file is not there, or what reads texts or pictures, which other tools cache apart, is not. */
export const isWhole = (place: Place, weights: boolean, env: Environment): boolean => {
  if (cachedCommit(place, env) === undefined) return false;
  const folder = copyFolder(place, env);
  const reads = ["tokenizer.json", "preprocessor_config.json"].some((file) => existsSync(join(folder, file)));
  return lacking(folder, weights).length === 0 && (reads || isOffline(env));
};

/** Fetches what a run needs and this machine has not. Throws a DiagnosticError. */
export const bringBase = async ({ name, path, weights }: Job["base"], env: Environment, listen: Listener): Promise<void> => {
  const place = isHubPlace(path) ? readPlace(path) : path;
  if (typeof place === "string" || isWhole(place, weights === "checkpoint", env)) return;
  await blaming({ block: `base ${name}` }, () => bringPlace(place, weights === "checkpoint", env, listen));
};

const mebibyte = 1 << 20;

export const bringPlace = async (place: Place, weights: boolean, env: Environment, listen: Listener, verify = false): Promise<void> => {
  const { fetchPlace } = await import("./fetch.ts");
  listen({ kind: "phase", title: `ask the hub for ${place.name}` });
  const { commit, folder, bytes } = await fetchPlace(place, {
    env,
    weights,
    verify,
    listen: (file, done, total) => {
      if (total < mebibyte) return;
      listen({ kind: "progress", title: `fetch ${file}, MiB`, done: Math.floor(done / mebibyte), total: Math.floor(total / mebibyte) });
    },
  });
  listen({ kind: "saved", what: `${writePlace(place)}, commit ${commit}`, path: folder, bytes });
};
