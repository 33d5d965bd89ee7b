// A base named on the hub, as the compiler and the runtime see it: a folder of the cache, and the exact commit that it holds.

import type { HubCopy } from "../../compiler/host.ts";
import type { Host } from "../../runtime/host.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { cachedCommit, cacheFolder, copyFolder, type Environment, isOffline, lacking } from "./cache.ts";
import { isHubPlace, readPlace, scheme, writePlace } from "./place.ts";

/** What lies here of a place, for the compiler. Only the names of files are read. */
export const hubCopy = (text: string, weights: boolean, env: Environment): HubCopy => {
  const place = readPlace(text);
  if (typeof place === "string")
    return {
      problem: diagnostics.hub_name(
        undefined,
        { place: text, problem: place },
        { help: `write \`${scheme}ORG/NAME\`, or \`${scheme}ORG/NAME@REVISION\`` },
      ),
    };
  const commit = cachedCommit(place, env);
  const missing = commit === undefined ? undefined : lacking(copyFolder(place, env), weights);
  if (commit !== undefined && missing?.length === 0) return { exact: writePlace({ ...place, revision: commit }) };
  return {
    ...(commit !== undefined && { exact: writePlace({ ...place, revision: commit }) }),
    problem: diagnostics.hub_absent(
      undefined,
      { place: text },
      {
        notes: [
          { message: `looked in ${cacheFolder(env)}` },
          ...(missing?.length ? [{ message: `of commit ${commit} it lacks ${listed(missing)}` }] : []),
        ],
        help: isOffline(env)
          ? "HF_HUB_OFFLINE is set: unset it and fetch it with `peft fetch`, or copy the cache from a machine that has it"
          : "`peft fetch FILE` gets it; `check`, `plan` and `build` never use the network. With FILE.lock they need no copy",
      },
    ),
  };
};

/** For each place that is cached, what a check of it has read. */
export const readFrom = (places: Iterable<string>, env: Environment): readonly string[] =>
  [...places].flatMap((text) => {
    const { exact } = hubCopy(text, false, env);
    return exact === undefined
      ? []
      : [`${text} was read from the cache${exact === text ? "" : `, where it is ${exact.slice(exact.indexOf("@"))}`}`];
  });

export const listed = (files: readonly string[], most = 4): string =>
  files.slice(0, most).join(", ") + (files.length > most ? ` and ${files.length - most} more` : "");

/** The folder of a path that may be a place of the hub. */
export const folderOf = (path: string, env: Environment): string => {
  const place = isHubPlace(path) ? readPlace(path) : path;
  return typeof place === "string" ? path : copyFolder(place, env);
};

/** Places of the hub are folders to a host over this one. */
export const withHub = (host: Host, env: Environment): Host => ({
  ...host,
  resolve: (folder, path) => host.resolve(folder, folderOf(path, env)),
});

/** What an adapter's configuration says of its base, by the keys of its format; undefined where the base is a folder. */
export const baseName = (path: string): Readonly<Record<string, string>> | undefined => {
  const place = isHubPlace(path) ? readPlace(path) : path;
  return typeof place === "string" ? undefined : { base_model_name_or_path: place.name, revision: place.revision };
};
