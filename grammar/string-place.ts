// Where a character of a string's value stands in the source: escapes are longer than what they stand for.

import type { Span } from "./tree.ts";

/**
 * The part of a string literal that gives the characters `from` to `to` of its value. `image` is the literal as written, quotes
 * included; `at` is its place. Mirrors `readString`.
 */
export const placeInString = (image: string, at: Span, from: number, to: number): Span => {
  let [start, end] = [image.length - 1, image.length - 1];
  let count = 0;
  for (let i = 1; i < image.length - 1 && count <= to; ) {
    if (count === from) start = i;
    if (count === to) end = i;
    const code = image[i] === "\\" ? /^\\u\{([0-9a-fA-F]{1,6})\}/.exec(image.slice(i, i + 10)) : null;
    count += code ? String.fromCodePoint(Math.min(0x10ffff, Number.parseInt(code[1]!, 16))).length : 1;
    i += code ? code[0].length : image[i] === "\\" ? 2 : 1;
  }
  return { file: at.file, start: at.start + start, end: at.start + Math.max(start, end) };
};
