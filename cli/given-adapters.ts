// `--adapter DIR` -> an adapter of the file, by the folder's own name, so that a person can go on calling it what they called it.

import { basename, dirname, relative, resolve } from "node:path";
import type { Asked } from "../compiler/blocks/asked.ts";
import type { Invocation } from "./command.ts";
import { standardInput } from "./sources.ts";

/** `folders` as they were written; a name that two of them have gets a number. */
export const givenAdapters = (call: Invocation, folders: readonly string[]): Asked["adapters"] => {
  const { cwd } = call.io;
  const file = call.arguments[0]!;
  const here = file === "-" || file === standardInput ? cwd : dirname(resolve(cwd, file));
  const taken = new Map<string, number>();
  return folders.map((folder) => {
    const place = resolve(cwd, folder);
    const word = basename(place)
      .replaceAll(/\W+/g, "_")
      .replace(/^(?=\d|$)/, "_");
    const name = ["if", "then", "else", "and", "or", "not"].includes(word) ? `_${word}` : word;
    const times = (taken.get(name) ?? 0) + 1;
    taken.set(name, times);
    return { name: times > 1 ? `${name}_${times}` : name, folder: `${relative(here, place).replaceAll("\\", "/") || "."}/` };
  });
};

/** What is written with a slash or a dot is a folder; a word is a name of the file. */
export const isFolder = (text: string): boolean => /[/\\.]/.test(text);
