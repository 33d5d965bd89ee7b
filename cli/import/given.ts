// A YAML or JSON text -> its keys, each with its value and its place, so that what becomes of a key can be said where it stands.
// Read as the tools read it: YAML 1.1, where `yes` and `off` are booleans.

import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseAllDocuments } from "yaml";
import type { Span } from "../../grammar/tree.ts";

export interface Given {
  /** With the names of what it is in: `datasets.0.path`. */
  readonly name: string;
  /** As plain data. */
  readonly value: unknown;
  /** The key, or the item of a list. */
  readonly at: Span;
  readonly fields?: ReadonlyMap<string, Given>;
  readonly items?: readonly Given[];
}

export interface Read {
  /** Undefined when the text is no mapping. */
  readonly root?: Given;
  readonly problems: readonly { readonly at: Span; readonly problem: string }[];
  /** Keys given twice; the last one counts, for the tools as for us. */
  readonly doubled: readonly Given[];
  readonly documents: number;
}

/** Keys and items that are read: a file that people write has a hundred, one made of aliases of aliases has no end. */
const most = 20_000;

export const readKeys = (text: string, file: string): Read => {
  const span = (start: number, end: number): Span => ({ file, start: Math.min(start, text.length), end: Math.min(end, text.length) });
  const documents = parseAllDocuments(text, { version: "1.1", uniqueKeys: false, lineCounter: new LineCounter(), logLevel: "error" });
  const [document] = "empty" in documents ? [] : documents;
  if (!document) return { problems: [{ at: span(0, 0), problem: "it is empty" }], doubled: [], documents: 0 };
  const problems = document.errors.map(({ pos, message }) => ({
    at: span(pos[0], pos[1]),
    problem: message.split("\n")[0]!.replace(/:$/, ""),
  }));
  const doubled: Given[] = [];
  // A chain of aliases that grows without bound is cut off by the library, as an error.
  const plain = (node: Node): unknown => {
    try {
      return node.toJS(document);
    } catch {
      return undefined;
    }
  };
  const within = new Set<Node>();
  let nodes = 0;
  const given = (name: string, node: Node | null, at: Span): Given => {
    const resolved = node && "resolve" in node ? (node.resolve(document) ?? null) : node;
    // An alias may lead back to what it stands in.
    if ((resolved && within.has(resolved)) || ++nodes > most) return { name, value: undefined, at };
    if (resolved) within.add(resolved);
    try {
      return inner(name, node, resolved, at);
    } finally {
      if (resolved) within.delete(resolved);
    }
  };
  const inner = (name: string, node: Node | null, resolved: Node | null, at: Span): Given => {
    const value = node ? plain(node) : null;
    if (isMap(resolved)) {
      const fields = new Map<string, Given>();
      for (const pair of resolved.items as Pair<Node, Node | null>[]) {
        const key = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
        const range = pair.key.range ?? [0, 0, 0];
        const field = given(name ? `${name}.${key}` : key, pair.value, span(range[0], range[1]));
        const before = fields.get(key);
        if (before) doubled.push(before);
        fields.set(key, field);
      }
      return { name, value, at, fields };
    }
    if (isSeq(resolved)) {
      const items = (resolved.items as Node[]).map((item, i) => {
        const range = item.range ?? [at.start, at.end, at.end];
        return given(`${name}.${i}`, item, span(range[0], range[1]));
      });
      return { name, value, at, items };
    }
    return { name, value, at };
  };
  if (problems.length || !isMap(document.contents))
    return {
      problems: problems.length ? problems : [{ at: span(0, 1), problem: "it is no list of `key: value`" }],
      doubled,
      documents: documents.length,
    };
  const root = given("", document.contents, span(0, text.length));
  if (nodes > most)
    return {
      problems: [{ at: span(0, 1), problem: `it has more than ${most} keys, its aliases followed` }],
      doubled,
      documents: documents.length,
    };
  return { root, problems, doubled, documents: documents.length };
};

export const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === "" ||
  (Array.isArray(value) && value.length === 0) ||
  (typeof value === "object" && Object.keys(value).length === 0);

/** A number, also one that was written as text. */
export const numberOf = (value: unknown): number | undefined => {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const read = Number(value.replaceAll("_", ""));
  return Number.isFinite(read) ? read : undefined;
};

/** How a value is quoted in a sentence. */
export const shown = (value: unknown): string => {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};
