// A tree -> what an editor's outline shows: items, and the named parts of each.

import type { Item, Span } from "../../grammar/tree.ts";

export interface Entry {
  readonly name: string;
  readonly detail: string;
  readonly kind: Item["kind"] | "part";
  readonly at: Span;
  readonly nameAt: Span;
  readonly children: readonly Entry[];
}

export const outline = (items: readonly Item[]): readonly Entry[] => items.flatMap((item) => entryOf(item) ?? []);

const entryOf = (item: Item): Entry | undefined => {
  const { kind, at } = item;
  const children = partsOf(item);
  if ("name" in item) return { name: item.name.text, detail: kind, kind, at, nameAt: item.name.at, children };
  if ("subject" in item) return { name: `${kind} ${item.subject.text}`, detail: "", kind, at, nameAt: item.subject.at, children };
  if (item.kind === "evaluate")
    return {
      name: `evaluate ${item.subjects.map(({ text }) => text).join(", ")}`,
      detail: "",
      kind,
      at,
      nameAt: item.subjects[0]?.at ?? at,
      children,
    };
  return item.kind === "require" ? { name: "require", detail: "", kind, at, nameAt: at, children } : undefined;
};

const partsOf = (item: Item): readonly Entry[] => {
  if ("entries" in item)
    return item.entries.map(({ key, at }) => ({ name: key.text, detail: "", kind: "part", at, nameAt: key.at, children: [] }));
  if (!("members" in item)) return [];
  return item.members.flatMap((member) => {
    const names =
      member.kind === "param" ? member.names : member.kind === "bind" ? member.target.slice(0, 1) : "name" in member ? [member.name] : [];
    return names.map(({ text, at }) => ({
      name: text,
      detail: member.kind,
      kind: "part" as const,
      at: member.at,
      nameAt: at,
      children: [],
    }));
  });
};
