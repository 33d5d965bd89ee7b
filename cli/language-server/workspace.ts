// The `.peft` files of the workspace that import a file, directly or through others: where a rename has to reach.

import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** Files looked at, at most: a workspace may be a whole disk. */
const limit = 5000;

const sources = (folder: string, found: string[]): void => {
  let entries: ReturnType<typeof list>;
  try {
    entries = list(folder);
  } catch {
    return; // a folder that may not be read holds nothing that is renamed
  }
  for (const entry of entries) {
    if (found.length >= limit || entry.name.startsWith(".") || entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) sources(path, found);
    else if (entry.name.endsWith(".peft")) found.push(path.replaceAll("\\", "/"));
  }
};

const list = (folder: string) => readdirSync(folder, { withFileTypes: true });

const importsOf = (file: string): readonly string[] => {
  try {
    const text = readFileSync(file, "utf8");
    return [...text.matchAll(/^\s*import\b[^"\n]*"([^"\n]+)"/gm)].map(([, path]) => posix.join(posix.dirname(file), path!));
  } catch {
    return [];
  }
};

export const filesThatImport = (file: string, folders: readonly string[]): readonly string[] => {
  const all: string[] = [];
  for (const folder of folders) sources(folder, all);
  const imports = new Map(all.map((path) => [path, importsOf(path)]));
  const reached = new Set([file]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const [path, targets] of imports)
      if (!reached.has(path) && targets.some((target) => reached.has(target))) {
        reached.add(path);
        grew = true;
      }
  }
  reached.delete(file);
  return [...reached];
};
