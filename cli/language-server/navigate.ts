// Definition, references and rename. A name inside the standard library leads there and is read-only; a segment of a path leads to
// the child of the architecture that it selects.

import { match } from "../../compiler/model/paths.ts";
import type { Path, Span } from "../../grammar/tree.ts";
import { type Analysis, textAt } from "./analysis.ts";
import { isPath, pathAt, patternTo, rootOf } from "./hover.ts";
import { type Declared, type Occurrence, occurrenceAt, sameSymbol } from "./symbols.ts";

/** Where what stands at the offset is declared. */
export const definitionAt = (analysis: Analysis, found: readonly Occurrence[], offset: number): readonly Span[] => {
  const item = analysis.tree.items.find(({ at }) => at.start <= offset && offset <= at.end);
  const importOf = item?.kind === "import" && item.from.kind === "file" && item.from.at.start <= offset && offset <= item.from.at.end;
  if (item?.kind === "import" && importOf) return [{ file: analysis.host.resolve(analysis.file, item.from.path), start: 0, end: 0 }];
  const path = item && pathAt(item, offset);
  const children = path ? childrenAt(analysis, path, offset) : [];
  if (children.length) return children;
  const occurrence = occurrenceAt(found, offset);
  return occurrence ? [occurrence.symbol.at] : [];
};

/** The members of architectures that a segment of a path selects, each once. */
const childrenAt = (analysis: Analysis, path: Path, offset: number): readonly Span[] => {
  const root = rootOf(analysis.compiled.checked, path);
  const pattern = root && patternTo(path, offset, (at) => textAt(analysis, at));
  const last = pattern?.segments.at(-1);
  if (!root || !pattern || last?.kind !== "name") return [];
  const parents = match(root, { ...pattern, segments: pattern.segments.slice(0, -1) });
  const holders = pattern.segments.length === 1 ? [root] : parents.flatMap((target) => (target.kind === "module" ? [target.module] : []));
  const spans = new Map<string, Span>();
  for (const holder of holders)
    for (const member of holder.definition.members) {
      const name = member.kind === "child" ? [member.name] : member.kind === "param" ? member.names : [];
      for (const { text, at } of name) if (text === last.text) spans.set(`${at.file}:${at.start}`, at);
    }
  return [...spans.values()];
};

/** Every place that names the symbol, the segments of paths that select a child included. */
export const referencesTo = (analysis: Analysis, symbol: Declared, found: readonly Occurrence[]): readonly Occurrence[] => {
  const named = found.filter((one) => sameSymbol(one.symbol, symbol));
  if (symbol.kind !== "child" && symbol.kind !== "param") return named;
  const selected = pathsIn(analysis.tree.items).flatMap((path) =>
    path.segments
      .flatMap((segment) => (segment.kind === "choice" ? segment.options : segment.kind === "name" ? [segment] : []))
      .filter(
        ({ text, at }) =>
          text === symbol.name && childrenAt(analysis, path, at.start).some((child) => sameSymbol({ ...symbol, at: child }, symbol)),
      )
      .map(({ at }) => ({ at, symbol, declares: false })),
  );
  return [...named, ...selected];
};

const pathsIn = (node: unknown): readonly Path[] => {
  if (typeof node !== "object" || node === null) return [];
  if (isPath(node)) return [node];
  return Object.values(node).flatMap((value) => (typeof value === "object" ? pathsIn(value) : []));
};

/** Why a symbol cannot take a new name; undefined when it can. */
export const unrenamable = (symbol: Declared, to: string | undefined, taken: readonly string[]): string | undefined => {
  if (symbol.at.file.startsWith("std/")) return `\`${symbol.name}\` belongs to the standard library`;
  if (symbol.kind === "key") return `\`${symbol.name}\` is a key of config.json`;
  if (to === undefined) return undefined;
  if (!/^[A-Za-z_]\w*$/.test(to)) return `\`${to}\` is not a name: letters of a to z, digits and \`_\``;
  if (["if", "then", "else", "and", "or", "not"].includes(to)) return `\`${to}\` is a word of the language`;
  if (taken.includes(to)) return `\`${to}\` is declared already`;
  return undefined;
};
