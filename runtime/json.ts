// JSON that someone else wrote: UTF-8 checked, keys that occur twice found. JSON.parse keeps the last of two equal keys and
// says nothing; for a weights header that means different weights in different tools.

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The text of UTF-8 bytes (a leading byte order mark is dropped), or undefined when they are not UTF-8. */
export const decodeUtf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
};

export type Parsed = { readonly value: unknown } | { readonly problem: string };

/** Parses a whole JSON text; `problem` is a phrase for a message. */
export const parseJson = (bytes: Uint8Array): Parsed => {
  const text = decodeUtf8(bytes);
  if (text === undefined) return { problem: "it is not valid UTF-8" };
  return parseJsonText(text);
};

export const parseJsonText = (text: string): Parsed => {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    // The engine's message quotes the text around the spot; its wording differs per engine, so no test looks inside.
    return { problem: error instanceof Error ? error.message : String(error) };
  }
};

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Keys that occur twice in one object of a valid JSON text, at any depth, as they are spelled after escapes. */
export const duplicateKeys = (text: string): string[] => {
  const found: string[] = [];
  const open: (Set<string> | undefined)[] = []; // one per open bracket: keys of an object, undefined for an array
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x7b) open.push(new Set());
    else if (c === 0x5b) open.push(undefined);
    else if (c === 0x7d || c === 0x5d) open.pop();
    else if (c === 0x22) {
      const start = i;
      for (i++; text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++;
      let after = i + 1;
      while (text.charCodeAt(after) <= 0x20) after++;
      if (text.charCodeAt(after) !== 0x3a) continue;
      const raw = text.slice(start + 1, i);
      const key = raw.includes("\\") ? (JSON.parse(text.slice(start, i + 1)) as string) : raw;
      const keys = open.at(-1);
      if (keys?.has(key)) found.push(key);
      keys?.add(key);
    }
  }
  return found;
};
