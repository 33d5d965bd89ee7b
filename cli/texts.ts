// Many texts in one file, read when the first of them is asked for: what the built command carries of the library, its trees and
// the diagnostic pages (build.ts). A script that held them itself would be read, hashed and compiled with them on every start.

import { readFileSync } from "node:fs";

/** Texts by name. `places` says where each lies in the file: its first byte and the byte behind it. */
export const textsIn = (file: string | URL, places: ReadonlyMap<string, readonly [number, number]>): ReadonlyMap<string, string> => {
  let bytes: Buffer | undefined;
  const read = (name: string, [from, to]: readonly [number, number]): string => {
    bytes ??= readFileSync(file);
    if (to > bytes.length) throw new Error(`${file} ends before ${name}: it is not of this build`);
    return bytes.toString("utf8", from, to);
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
