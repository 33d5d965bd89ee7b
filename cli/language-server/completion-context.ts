// A text and an offset -> what could stand there. Works on tokens alone, since a line that is being typed has no tree yet: the
// brackets that are open at the offset, with what stood before each, say where the cursor is.

import { itemTypes, scan } from "../../grammar/tokens.ts";

/** What the cursor's place asks for. `prefix` is what is written of it already. */
export type Wanted =
  | { readonly kind: "item" }
  | { readonly kind: "nothing" }
  /** A keyword that the item goes on with. */
  | { readonly kind: "word"; readonly words: readonly string[] }
  | { readonly kind: "key"; readonly block: string; readonly given: readonly string[] }
  | { readonly kind: "value"; readonly block: string; readonly key: string }
  | { readonly kind: "list"; readonly block: string; readonly key: string }
  | { readonly kind: "call"; readonly of: "method" | "source" | "format" }
  | { readonly kind: "argument"; readonly callee: string; readonly block: string; readonly given: readonly string[] }
  | { readonly kind: "path"; readonly segments: string; readonly choice: boolean }
  | { readonly kind: "subject"; readonly bases: boolean; readonly verbs?: boolean }
  | { readonly kind: "data" }
  | { readonly kind: "split"; readonly data: string }
  | { readonly kind: "fact" }
  | { readonly kind: "dtype" }
  | { readonly kind: "module" }
  | { readonly kind: "file"; readonly written: string }
  | { readonly kind: "definition"; readonly item: string };

export interface CompletionContext {
  readonly wanted: Wanted;
  /** Where the word under the cursor begins; what is chosen replaces from there. */
  readonly from: number;
  /** The words of the item so far, with what names it, to find its definition's names. */
  readonly item: string | undefined;
}

interface Frame {
  readonly open: string;
  /** Texts of the tokens before the bracket, since the enclosing frame's last separator. */
  readonly head: readonly string[];
  tokens: string[];
}

const definitionWords = new Set(["module", "architecture", "method", "optimizer", "schedule", "format"]);
const closing: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

export const contextAt = (text: string, offset: number): CompletionContext => {
  const before = text.slice(0, offset);
  const inString = openString(before);
  const from = inString ? offset - inString.length : offset - /[A-Za-z_]?\w*$/.exec(before)![0].length;
  if (/\/\/[^\n]*$/.test(before) && inString === undefined) return { wanted: { kind: "nothing" }, from, item: undefined };
  const { tokens, first } = scan(text.slice(0, inString === undefined ? from : from - 1), "");

  const frames: Frame[] = [{ open: "", head: [], tokens: [] }];
  for (const [i, { image }] of tokens.entries()) {
    const top = frames.at(-1)!;
    // An item word that begins a line outside of brackets begins an item.
    if (frames.length === 1 && first[i] && (itemTypes.has(image) || image === "peft")) top.tokens = [];
    // One inside braces means that they were left open, as they are while a block is typed.
    if (frames.length > 1 && first[i] && itemTypes.has(image) && startsItem(tokens[i + 1]?.image, image, frames)) {
      frames.length = 1;
      frames[0]!.tokens = [];
    }
    if (closing[image]) frames.push({ open: image, head: [...frames.at(-1)!.tokens], tokens: [] });
    else if (Object.values(closing).includes(image)) {
      if (frames.length > 1 && closing[frames.at(-1)!.open] === image) {
        const closed = frames.pop()!;
        frames.at(-1)!.tokens.push(`${closed.open}${closed.tokens.join(" ")}${image}`);
      }
    } else frames.at(-1)!.tokens.push(image);
  }
  const item = frames[0]!.tokens[0];
  return { wanted: wantedIn(frames, inString, isLineStart(before, from)), from, item };
};

const isLineStart = (before: string, from: number): boolean => /(^|\n)[ \t]*$/.test(before.slice(0, from));

/** `data = …` inside a block is a key; `data orders {` is an item. */
const startsItem = (next: string | undefined, image: string, frames: readonly Frame[]): boolean =>
  next !== undefined && /^[A-Za-z_]/.test(next) && !(definitionWords.has(frames[1]?.head[0] ?? "") && image === "module");

/** What is written of the string the offset stands in; undefined outside of strings. */
const openString = (before: string): string | undefined => {
  const line = before.slice(before.lastIndexOf("\n") + 1);
  let open: number | undefined;
  for (let i = 0; i < line.length; i++) {
    if (open === undefined && line.startsWith("//", i)) return undefined;
    if (line[i] === "\\" && open !== undefined) i++;
    else if (line[i] === '"') open = open === undefined ? i + 1 : undefined;
  }
  return open === undefined ? undefined : line.slice(open);
};

const wantedIn = (frames: readonly Frame[], inString: string | undefined, lineStart: boolean): Wanted => {
  const top = frames.at(-1)!;
  const item = frames[0]!.tokens;
  const [word] = item;
  const path = pathBefore(frames);
  if (inString !== undefined) return inPathString(frames, inString, path);
  if (path) return path;
  if (top.open === "(") {
    const callee = top.head.at(-1) ?? "";
    if (word === "require" && frames.length === 3) return { kind: "subject", bases: false, verbs: top.tokens.length === 0 };
    if (definitionWords.has(word ?? "") && frames.length === 2) return { kind: "nothing" };
    if (definitionWords.has(word ?? "")) return { kind: "definition", item: word! };
    const given = top.tokens.flatMap((token, i) => (top.tokens[i + 1] === ":" ? [token] : []));
    if (top.tokens.at(-1) === ":") return { kind: "nothing" };
    return { kind: "argument", callee, block: frames[1]?.open === "{" ? (frames[1].head[0] ?? "") : (word ?? ""), given };
  }
  if (top.open === "[") {
    if (definitionWords.has(word ?? "")) return { kind: "definition", item: word! };
    return { kind: "list", block: frames[1]?.head[0] ?? "", key: top.head.at(-2) ?? "" };
  }
  if (top.open === "{") return inBraces(top, word ?? "", lineStart);
  return atTop(item, lineStart);
};

const inBraces = (top: Frame, word: string, lineStart: boolean): Wanted => {
  const last = top.tokens.at(-1);
  if (word === "import") return { kind: "nothing" };
  if (definitionWords.has(word)) return { kind: "definition", item: word };
  if (word === "require") return lineStart || top.tokens.length === 0 ? { kind: "fact" } : { kind: "nothing" };
  if (word === "base") {
    if (last === "as") return { kind: "call", of: "format" };
    return lineStart || top.tokens.length === 0 ? { kind: "word", words: ["store"] } : { kind: "word", words: ["as"] };
  }
  if (last === ":" || last === "=") return { kind: "value", block: word, key: top.tokens.at(-2) ?? "" };
  const given = top.tokens.flatMap((token, i) => (top.tokens[i + 1] === ":" || top.tokens[i + 1] === "=" ? [token] : []));
  return { kind: "key", block: word, given };
};

const atTop = (item: readonly string[], lineStart: boolean): Wanted => {
  const [word] = item;
  const last = item.at(-1);
  if (lineStart && (!word || !continues(last))) return { kind: "item" };
  switch (word) {
    case undefined:
      return { kind: "item" };
    case "adapter":
      if (last === "=") return { kind: "call", of: "method" };
      return last?.endsWith(")") ? { kind: "word", words: ["into"] } : { kind: "nothing" };
    case "base":
      return last === "=" ? { kind: "call", of: "source" } : { kind: "nothing" };
    case "train":
    case "evaluate":
      if (last === word || last === ",") return { kind: "subject", bases: word === "evaluate" };
      return item.length === 2 || item.at(-2) === "," ? { kind: "word", words: ["on"] } : { kind: "nothing" };
    case "merge":
      if (last === "merge") return { kind: "subject", bases: false };
      if (last === "as") return { kind: "dtype" };
      return item.length === 2 ? { kind: "word", words: ["into"] } : { kind: "word", words: ["as"] };
    case "sweep":
      if (last === "over") return { kind: "subject", bases: false };
      return item.length === 2 ? { kind: "word", words: ["over"] } : { kind: "nothing" };
    case "compare":
      return item.length === 2 ? { kind: "word", words: ["on"] } : { kind: "nothing" };
    case "method":
      if (last === "amends") return { kind: "module" };
      return last?.endsWith(")") ? { kind: "word", words: ["amends", "trains"] } : { kind: "nothing" };
    default:
      return { kind: "nothing" };
  }
};

/** Something must follow these before a new item can begin. */
const continues = (last: string | undefined): boolean =>
  last !== undefined && ["=", ",", "into", "on", "over", "as", "amends", "."].includes(last);

/** The path that is being written: after `into`, `on`, `store` or a comma in one, or behind a point. */
const pathBefore = (frames: readonly Frame[]): Wanted | undefined => {
  const top = frames.at(-1)!;
  const choice = top.open === "{" && top.head.at(-1) === ".";
  const tokens = choice ? top.head : top.tokens;
  const outer = choice ? (frames.at(-2)?.open === "{" ? "{" : "") : top.open;
  if (outer === "(" || outer === "[") return undefined;
  const start = Math.max(tokens.lastIndexOf("into"), tokens.lastIndexOf("on"), tokens.lastIndexOf("store"), tokens.lastIndexOf(","));
  const after = tokens.slice(start + 1);
  const keyword = [...tokens.slice(0, start + 1)].reverse().find((token) => ["into", "on", "store", "as"].includes(token));
  const item = frames[0]!.tokens[0];
  if (keyword === undefined || keyword === "as" || item === "import" || item === "merge") return undefined;
  if (keyword === "on") {
    if (after.length === 0) return { kind: "data" };
    return after.length === 2 && after[1] === "." ? { kind: "split", data: after[0]! } : undefined;
  }
  if (after.length === 0 && (item !== "base" || tokens.at(-1) === "store" || tokens.at(-1) === ","))
    return { kind: "path", segments: "", choice: false };
  if (after.at(-1) !== ".") return undefined;
  return { kind: "path", segments: after.slice(0, -1).join(""), choice };
};

const inPathString = (frames: readonly Frame[], written: string, path: Wanted | undefined): Wanted => {
  const top = frames.at(-1)!;
  // A string behind a point of a path is a name of the checkpoint.
  if (path?.kind === "path") return { ...path, segments: `${path.segments}."` };
  const callee = top.open === "(" ? top.head.at(-1) : undefined;
  if (callee && top.tokens.length === 0 && ["data", "base"].includes(frames[0]!.tokens[0] ?? "")) return { kind: "file", written };
  if (frames[0]!.tokens[0] === "import") return { kind: "file", written };
  return { kind: "nothing" };
};
