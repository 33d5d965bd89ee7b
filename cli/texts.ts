// Many texts in one file, each read when it is asked for: what the built command carries of the library, its trees and the diagnostic
// pages (build.ts). A script that held them itself would be read, hashed and compiled with them on every start.

import { openSync, readSync } from "node:fs";

/** Texts by name. `places` says where each lies in the file: its first byte and the byte behind it. */
export const textsIn = (file: string | URL, places: ReadonlyMap<string, readonly [number, number]>): ReadonlyMap<string, string> => {
  let opened: number | undefined;
  const known = new Map<string, string>();
  const read = (name: string, [from, to]: readonly [number, number]): string => {
    const found = known.get(name);
    if (found !== undefined) return found;
    opened ??= openSync(file, "r");
    const bytes = Buffer.allocUnsafe(to - from);
    if (readSync(opened, bytes, 0, bytes.length, from) < bytes.length)
      throw new Error(`${file} ends before ${name}: it is not of this build`);
    const text = bytes.toString("utf8");
    known.set(name, text);
    return text;
  };
  const get = (name: string): string | undefined => {
    const place = places.get(name);
    return place && read(name, place);
  };
  const entries = () => [...places].map(([name, place]): [string, string] => [name, read(name, place)]).values();
  const texts: ReadonlyMap<string, string> = {
    size: places.size,
    has: (name) => places.has(name),
    get,
    keys: () => places.keys(),
    values: () => [...places].map(([name, place]) => read(name, place)).values(),
    entries,
    [Symbol.iterator]: entries,
    forEach: (visit) => {
      for (const [name, text] of entries()) visit(text, name, texts);
    },
  };
  return texts;
};
