// A position -> what stands there and what it comes to: a definition's signature and documentation, a setting's type and meaning,
// the numbers of a base or an adapter, and what a path covers in the checkpoint at hand.

import type { Checked } from "../../compiler/check/check.ts";
import { match, type Pattern } from "../../compiler/model/paths.ts";
import { ops } from "../../compiler/ops/index.ts";
import type { Entry, Item, Path, PathSegment, Span } from "../../grammar/tree.ts";
import { type Analysis, textAt } from "./analysis.ts";
import { blocks, typeOf } from "./blocks.ts";
import { adapterText, baseText, definitionText, partText, targetsText } from "./describe.ts";
import { type Declared, isDefinition, type Occurrence, occurrenceAt } from "./symbols.ts";

export interface Hover {
  readonly markdown: string;
  readonly at: Span;
}

const holds = (at: Span, offset: number): boolean => at.start <= offset && offset <= at.end;

export const hover = (analysis: Analysis, found: readonly Occurrence[], offset: number): Hover | undefined => {
  const item = analysis.tree.items.find(({ at }) => holds(at, offset));
  const path = item && pathAt(item, offset);
  if (path) {
    const reached = onPath(analysis, path, offset);
    if (reached) return reached;
  }
  const occurrence = occurrenceAt(found, offset);
  if (occurrence) return { markdown: symbolText(occurrence.symbol, analysis), at: occurrence.at };
  return item && (onSetting(item, offset) ?? onOp(analysis, item, offset));
};

const symbolText = (symbol: Declared, analysis: Analysis): string => {
  const text = (at: Span): string => textAt(analysis, at);
  const { checked } = analysis.compiled;
  const doc = "doc" in symbol.item && symbol.item.doc && !symbol.part ? `\n\n${symbol.item.doc}` : "";
  if (symbol.part) return partText(symbol, text);
  if (isDefinition(symbol.item)) return definitionText(symbol.item, text);
  if (checked && symbol.kind === "base" && checked.base.name === symbol.name) return baseText(checked) + doc;
  const plan = symbol.kind === "adapter" ? checked?.adapters.get(symbol.name) : undefined;
  if (checked && plan) return adapterText(plan, checked, text) + doc;
  return `\`\`\`peft\n${text(symbol.item.at)}\n\`\`\`${doc}`;
};

// ---- paths ----------------------------------------------------------------------------------------------------------

export const isPath = (value: object): value is Path => "kind" in value && value.kind === "path" && "segments" in value;

/** The path of an item under the cursor. */
export const pathAt = (node: unknown, offset: number): Path | undefined => {
  if (typeof node !== "object" || node === null) return undefined;
  if (isPath(node)) return holds(node.at, offset) ? node : undefined;
  for (const value of Object.values(node)) {
    const found = typeof value === "object" ? pathAt(value, offset) : undefined;
    if (found) return found;
  }
  return undefined;
};

const spelled = (segment: PathSegment, text: (at: Span) => string): string => text(segment.at);

/** The path as far as the cursor, a choice narrowed to the option it stands on. */
export const patternTo = (path: Path, offset: number, text: (at: Span) => string): Pattern | undefined => {
  const last = path.segments.findIndex(({ at }) => holds(at, offset));
  if (last < 1) return undefined;
  const segments = path.segments.slice(1, last + 1).map((segment): PathSegment => {
    if (segment.kind !== "choice") return segment;
    const option = segment.options.find(({ at }) => holds(at, offset)) ?? segment.options[0];
    return option ? { kind: "name", text: option.text, at: option.at } : segment;
  });
  return {
    segments,
    at: segments.at(-1)!.at,
    text: [path.segments[0]!, ...segments].map((segment) => spelled(segment, text)).join("."),
    exact: true,
  };
};

/** The base whose modules a path names. */
export const rootOf = (checked: Checked | undefined, path: Path): Checked["base"]["root"] | undefined => {
  const [first] = path.segments;
  return checked && first?.kind === "name" && first.text === checked.base.name ? checked.base.root : undefined;
};

const onPath = (analysis: Analysis, path: Path, offset: number): Hover | undefined => {
  const root = rootOf(analysis.compiled.checked, path);
  const pattern = root && patternTo(path, offset, (at) => textAt(analysis, at));
  if (!root || !pattern) return undefined;
  const targets = match(root, pattern);
  if (targets.length) return { markdown: targetsText(pattern.text, targets), at: pattern.at };
  // A list of layers is no target of its own; what it holds is.
  const within = match(root, { ...pattern, segments: [...pattern.segments, { kind: "star", at: pattern.at }] });
  return within.length ? { markdown: targetsText(`${pattern.text}.*`, within), at: pattern.at } : undefined;
};

// ---- settings and ops -----------------------------------------------------------------------------------------------

const onSetting = (item: Item, offset: number): Hover | undefined => {
  const block = blocks[item.kind];
  const entry = "entries" in item ? (item.entries as readonly Entry[]).find(({ key }) => holds(key.at, offset)) : undefined;
  const setting = entry && block?.keys[entry.key.text];
  return (
    setting && {
      markdown: `\`\`\`peft\n${entry.key.text}${block?.sign === "=" ? " =" : ":"} ${typeOf(setting)}\n\`\`\`\n\n${setting.doc}`,
      at: entry.key.at,
    }
  );
};

/** Ops are called by name inside definitions. */
const onOp = (analysis: Analysis, item: Item, offset: number): Hover | undefined => {
  if (!isDefinition(item)) return undefined;
  const { text, file } = analysis;
  const start = offset - /\w*$/.exec(text.slice(0, offset))![0].length;
  const end = offset + /^\w*/.exec(text.slice(offset))![0].length;
  const op = ops.get(text.slice(start, end));
  return op?.call && { markdown: opText(op.name), at: { file, start, end } };
};

/** An op's call and its one line. */
export const opText = (name: string): string => {
  const { call, doc } = ops.get(name)!;
  const attrs = Object.entries(call?.attrs ?? {}).map(([key, value]) => (value === undefined ? `${key}: …` : `${key}: ${String(value)}`));
  return `\`\`\`peft\n${name}(${[...(call?.tensors ?? []), ...attrs].join(", ")})\n\`\`\`\n\n${doc}`;
};
