// The items of one point of a sweep or a comparison: the file's own, less what the point does not need, with some values replaced.
// A replaced value keeps the place where it was written in the block, so a mistake in it is shown there.

import type * as tree from "../../grammar/tree.ts";

/** Adapters that `name` needs: itself, and those its lines name. */
export const needed = (items: readonly tree.Item[], name: string): ReadonlySet<string> => {
  const adapters = new Map(items.flatMap((item) => (item.kind === "adapter" ? [[item.name.text, item] as const] : [])));
  const kept = new Set<string>();
  const visit = (one: string): void => {
    const item = adapters.get(one);
    if (!item || kept.has(one)) return;
    kept.add(one);
    for (const word of wordsIn(item.injections)) visit(word);
  };
  visit(name);
  return kept;
};

/** Every name that occurs below a node: more than are references, which does no harm here. */
const wordsIn = (node: unknown): string[] => {
  if (Array.isArray(node)) return node.flatMap(wordsIn);
  if (typeof node !== "object" || node === null) return [];
  const { name, text } = node as { name?: unknown; text?: unknown };
  return [
    ...(typeof name === "string" ? [name] : []),
    ...(typeof text === "string" ? [text] : []),
    ...Object.entries(node).flatMap(([key, value]) => (key === "at" ? [] : wordsIn(value))),
  ];
};

/** The value of an entry replaced, or the entry added. */
export const withEntry = (entries: readonly tree.Entry[], key: string, value: tree.Expr): readonly tree.Entry[] => {
  const entry: tree.Entry = { at: value.at, key: { text: key, at: value.at }, sign: ":", value };
  return entries.some((one) => one.key.text === key)
    ? entries.map((one) => (one.key.text === key ? { ...one, value } : one))
    : [...entries, entry];
};

/** An argument of a call replaced, by name or by place, or added. */
export const withArgument = (call: tree.Call, parameters: readonly tree.Parameter[], name: string, value: tree.Expr): tree.Call => {
  const place = parameters.findIndex((parameter) => parameter.name.text === name);
  const at = call.args.findIndex((argument, i) => (argument.name ? argument.name.text === name : i === place));
  const argument: tree.Argument = { at: value.at, name: { text: name, at: value.at }, value };
  return { ...call, args: at < 0 ? [...call.args, argument] : call.args.map((one, i) => (i === at ? { ...one, value } : one)) };
};

/** A short name of a value for tables and folders: the text it was written as. */
export const textOf = (value: tree.Expr, texts: ReadonlyMap<string, string>): string =>
  value.kind === "string" ? value.value : (texts.get(value.at.file)?.slice(value.at.start, value.at.end) ?? "?");

/** `r=8,seed=7` as a folder's name on any system. */
export const folderOf = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map(([key, value]) => `${key}=${value}`)
    .join(",")
    .replace(/[^\w.=,+-]+/g, "_");

/** What a point leaves out: other blocks, other adapters, and whatever is not run for it. */
export const pruned = (items: readonly tree.Item[], kept: ReadonlySet<string>, subject: string): readonly tree.Item[] =>
  items.flatMap((item): readonly tree.Item[] => {
    switch (item.kind) {
      case "sweep":
      case "compare":
      case "merge":
      case "require":
        return [];
      case "adapter":
        return kept.has(item.name.text) ? [item] : [];
      case "train":
        return kept.has(item.subject.text) ? [item] : [];
      case "evaluate":
        return item.subjects.some(({ text }) => text === subject)
          ? [{ ...item, subjects: item.subjects.filter(({ text }) => text === subject) }]
          : [];
      default:
        return [item];
    }
  });
