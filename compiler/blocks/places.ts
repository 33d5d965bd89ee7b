// What a diagnostic of the runtime is about -> its place in the `.peft` file. The runtime knows blocks, splits and columns by
// name; the source is here.

import { placeInString } from "../../grammar/string-place.ts";
import type * as tree from "../../grammar/tree.ts";
import type { About, Diagnostic } from "../../spec/diagnostic.ts";
import { readTemplate } from "../../spec/template.ts";
import { heldOut } from "./held-out.ts";

export interface Source {
  readonly items: readonly tree.Item[];
  readonly texts: ReadonlyMap<string, string>;
}

/** The diagnostic with its place, and a fix where the right name is known; as it is when it has a place or names none. */
export const placed = (diagnostic: Diagnostic, source: Source): Diagnostic => {
  const { about } = diagnostic;
  if (diagnostic.at || !about) return diagnostic;
  const { at, exact } = placeOf(about, source);
  if (!at) return diagnostic;
  const { instead } = about;
  // The column of a conversation is a text by itself, a template's stands in braces.
  const written = about.part === "chat" ? JSON.stringify(instead) : `{${instead}}`;
  const fixes = exact && instead !== undefined ? [{ at, insert: written, title: `change to \`${written}\`` }] : [];
  return { ...diagnostic, at, fixes: [...diagnostic.fixes, ...fixes] };
};

const placeOf = ({ block, part, column }: About, source: Source): { at?: tree.Span; exact?: true } => {
  const [verb, name] = (block ?? "").split(" ");
  // A file has one base, which may go without its name.
  const item = source.items.find((one) => one.kind === verb && (name === undefined || namesOf(one).some(({ text }) => text === name)));
  if (!item) return {};
  const at = (namesOf(item).find(({ text }) => text === name) ?? item).at;
  if (item.kind === "base") return { at: firstArgument(item.source)?.at ?? at };
  if (item.kind !== "data" && item.kind !== "train") return { at };
  const columns = column === undefined || item.kind !== "data" ? [] : columnPlaces(item, source);
  const found = columns.find((place) => place.column === column);
  if (found) return { at: found.at, exact: true };
  const entry = item.entries.find(({ key }) => key.text === part);
  return { at: entry ? (firstArgument(entry.value)?.at ?? entry.value.at) : at, ...(entry && part === "chat" && { exact: true }) };
};

const namesOf = (item: tree.Item): readonly tree.Name[] =>
  item.kind === "evaluate" ? item.subjects : "name" in item ? [item.name] : "subject" in item ? [item.subject] : [];

/** The path that a reader reads; of a split that is held out, none. */
const firstArgument = (value: tree.Expr): tree.Expr | undefined =>
  value.kind === "call" && !(value.callee.kind === "ref" && value.callee.name === heldOut) ? value.args[0]?.value : undefined;

/** Every `{column}` of a data block's templates that are written out, with the entry it stands in. */
export const columnPlaces = (
  item: tree.Data,
  { texts }: Pick<Source, "texts">,
): readonly { readonly column: string; readonly part: string; readonly at: tree.Span }[] =>
  item.entries.flatMap(({ key, value }) => {
    const template = value.kind === "string" ? readTemplate(value.value) : undefined;
    if (value.kind !== "string" || !template || !("parts" in template)) return [];
    return template.columns.map((column, i) => ({ column, part: key.text, at: within(value, template.places[i]!, texts) }));
  });

/** The characters `from` to `to` of a string literal's value. */
export const within = (value: tree.StringLit, [from, to]: readonly [number, number], texts: ReadonlyMap<string, string>): tree.Span => {
  const image = texts.get(value.at.file)?.slice(value.at.start, value.at.end);
  return image === undefined ? value.at : placeInString(image, value.at, from, to);
};
