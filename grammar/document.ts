// A small language of layouts: text that may break at marked places, printed to a width. A group is laid flat if it fits, and
// broken at all of its own places if not (Wadler 2003, "A prettier printer"; the commands follow Prettier's).

export type Doc =
  | string
  | readonly Doc[]
  | { readonly kind: "indent"; readonly doc: Doc }
  /** `breaks`: holds something that cannot be laid flat. */
  | { readonly kind: "group"; readonly doc: Doc; readonly breaks: boolean }
  /** Flat, `flat`; broken, a new line. A `hard` one breaks every group around it. */
  | { readonly kind: "line"; readonly flat: string; readonly hard: boolean; readonly blank: boolean }
  /** Goes to the end of the line it stands on: a comment. */
  | { readonly kind: "suffix"; readonly text: string }
  /** Only in a broken group, or only in a flat one. */
  | { readonly kind: "either"; readonly broken: string; readonly flat: string }
  /** Parts with `line`s between them, broken one by one where the width runs out. */
  | { readonly kind: "fill"; readonly parts: readonly Doc[] };

export const line: Doc = { kind: "line", flat: " ", hard: false, blank: false };
export const softline: Doc = { kind: "line", flat: "", hard: false, blank: false };
export const hardline: Doc = { kind: "line", flat: "", hard: true, blank: false };
export const blankline: Doc = { kind: "line", flat: "", hard: true, blank: true };
export const indent = (...doc: Doc[]): Doc => ({ kind: "indent", doc });
export const group = (...doc: Doc[]): Doc => ({ kind: "group", doc, breaks: mustBreak(doc) });
export const suffix = (text: string): Doc => ({ kind: "suffix", text });
export const either = (broken: string, flat: string): Doc => ({ kind: "either", broken, flat });
export const fill = (parts: readonly Doc[]): Doc => ({ kind: "fill", parts });

export const join = (docs: readonly Doc[], separator: Doc): Doc[] => docs.flatMap((doc, i) => (i ? [separator, doc] : [doc]));

/** Whether a layout holds a forced line break; a suffix counts, since nothing may follow a comment on its line. */
export const mustBreak = (doc: Doc): boolean => {
  if (typeof doc === "string") return false;
  if (isList(doc)) return doc.some(mustBreak);
  if (doc.kind === "group") return doc.breaks;
  if (doc.kind === "indent") return mustBreak(doc.doc);
  if (doc.kind === "fill") return doc.parts.some(mustBreak);
  return doc.kind === "suffix" || (doc.kind === "line" && doc.hard);
};

const isList = (doc: Doc): doc is readonly Doc[] => Array.isArray(doc);

interface Command {
  readonly doc: Doc;
  readonly depth: number;
  readonly flat: boolean;
}

/** Lays a document out. Lines end with "\n", have no blanks at their end, and are indented by two spaces a level. */
export const layOut = (doc: Doc, width: number): string => {
  const out: string[] = [];
  const suffixes: string[] = [];
  const commands: Command[] = [{ doc, depth: 0, flat: false }];
  let column = 0;

  const write = (text: string): void => {
    out.push(text);
    column += text.length;
  };
  const newLine = (depth: number, blank: boolean): void => {
    for (const text of suffixes.splice(0)) out.push(text);
    trimEnd(out);
    out.push(blank ? "\n\n" : "\n", "  ".repeat(depth));
    column = depth * 2;
  };

  for (let command = commands.pop(); command; command = commands.pop()) {
    const { doc: now, depth, flat } = command;
    if (typeof now === "string") write(now);
    else if (isList(now)) for (let i = now.length - 1; i >= 0; i--) commands.push({ doc: now[i]!, depth, flat });
    else if (now.kind === "indent") commands.push({ doc: now.doc, depth: depth + 1, flat });
    else if (now.kind === "group") {
      const fits = !now.breaks && (flat || fitsIn(width - column, [{ doc: now.doc, depth, flat: true }], commands));
      commands.push({ doc: now.doc, depth, flat: fits });
    } else if (now.kind === "line") {
      if (flat && !now.hard) write(now.flat);
      else newLine(depth, now.blank);
    } else if (now.kind === "suffix") suffixes.push(now.text);
    else if (now.kind === "either") write(flat ? now.flat : now.broken);
    else {
      // Each part goes on the present line if it and what must stay with it fit; otherwise the line before it breaks.
      const [first, separator, ...rest] = now.parts;
      if (first === undefined) continue;
      const whole = mustBreak(first);
      commands.push(...(rest.length || separator !== undefined ? [{ doc: fill(rest), depth, flat }] : []));
      if (separator !== undefined) {
        const next = rest[0];
        const fits = next === undefined || fitsIn(width - column - flatWidth(first), [{ doc: [separator, next], depth, flat: true }], []);
        commands.push({ doc: separator, depth, flat: fits && !whole });
      }
      commands.push({ doc: first, depth, flat: !whole });
    }
  }
  for (const text of suffixes.splice(0)) out.push(text);
  trimEnd(out);
  return out.join("");
};

const trimEnd = (out: string[]): void => {
  for (let last = out.length - 1; last >= 0; last--) {
    const text = out[last]!;
    if (text.endsWith("\n")) return;
    out[last] = text.replace(/[ \t]+$/, "");
    if (out[last]) return;
  }
};

const flatWidth = (doc: Doc): number => {
  if (typeof doc === "string") return doc.length;
  if (isList(doc)) return doc.reduce((sum: number, part) => sum + flatWidth(part), 0);
  if (doc.kind === "indent" || doc.kind === "group") return flatWidth(doc.doc);
  if (doc.kind === "fill") return doc.parts.reduce((sum: number, part) => sum + flatWidth(part), 0);
  if (doc.kind === "suffix") return 0;
  return doc.flat.length;
};

/** Whether some commands, and what follows them up to the next place where a line may end, fit in `room` columns. */
const fitsIn = (room: number, first: Command[], rest: readonly Command[]): boolean => {
  let left = room;
  let further = rest.length;
  const commands = first;
  while (left >= 0) {
    const command = commands.pop() ?? rest[--further];
    if (!command) return true;
    const { doc, depth, flat } = command;
    if (typeof doc === "string") left -= doc.length;
    else if (isList(doc)) for (let i = doc.length - 1; i >= 0; i--) commands.push({ doc: doc[i]!, depth, flat });
    else if (doc.kind === "indent") commands.push({ doc: doc.doc, depth, flat });
    else if (doc.kind === "group") commands.push({ doc: doc.doc, depth, flat: flat && !doc.breaks });
    else if (doc.kind === "fill") commands.push({ doc: doc.parts, depth, flat });
    else if (doc.kind === "either") left -= (flat ? doc.flat : doc.broken).length;
    else if (doc.kind === "line") {
      if (!flat || doc.hard) return true;
      left -= doc.flat.length;
    }
  }
  return false;
};
