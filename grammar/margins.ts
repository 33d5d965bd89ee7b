// Where comments and blank lines go when a tree is printed. The tree holds no comments inside its nodes, only their places, so
// printing passes each node's start and end here in reading order and every comment comes out beside what it stood beside.

import { blankline, type Doc, either, group, hardline, indent, line, softline, suffix } from "./document.ts";
import type { File, Span } from "./tree.ts";

/** An element of a block: where it stands and how it is printed. `apart` wants blank lines around it. */
export interface Element {
  readonly at: Pick<Span, "start" | "end">;
  readonly print: () => Doc;
  readonly apart?: boolean;
}

export abstract class Margins {
  protected readonly text: string;
  /** The text with blanks for comments: what is looked for by its spelling is looked for here. */
  protected readonly code: string;
  private readonly comments: File["comments"];
  private nextComment = 0;

  constructor(file: File, text: string) {
    this.text = text;
    this.comments = file.comments;
    const parts: string[] = [];
    let read = 0;
    for (const { at } of file.comments) {
      parts.push(text.slice(read, at.start), " ".repeat(at.end - at.start));
      read = at.end;
    }
    this.code = parts.join("") + text.slice(read);
  }

  /** The comments that stand before an offset and are not printed yet, each on a line of its own. */
  protected before(offset: number): Doc[] {
    const docs: Doc[] = [];
    for (let text = this.take(offset); text !== undefined; text = this.take(offset)) docs.push(text, hardline);
    return docs;
  }

  /** The same in the middle of a line: what follows them continues one level deeper. */
  protected amid(offset: number): Doc[] {
    return this.before(offset).map((doc) => (doc === hardline ? indent(hardline) : doc));
  }

  /** The comment that follows on the line where something ended, with at most a comma between. */
  protected trailing(end: number): Doc {
    const comment = this.comments[this.nextComment];
    if (!comment || !this.follows(end, comment.at.start)) return "";
    this.nextComment++;
    return suffix(` ${comment.text.trimEnd()}`);
  }

  private take(offset: number): string | undefined {
    const comment = this.comments[this.nextComment];
    if (!comment || comment.at.start >= offset) return undefined;
    this.nextComment++;
    return comment.text.trimEnd();
  }

  /** Elements one below the other, with their comments, and with the blank lines that were between them, one at most. */
  protected lines(elements: readonly Element[], end: number): Doc[] {
    const docs: Doc[] = [];
    let last: { end: number; apart: boolean } | undefined;
    const add = (at: Pick<Span, "start" | "end">, doc: Doc, apart: boolean, own: boolean): void => {
      const blank = last && (apart || last.apart || this.blankBetween(last.end, at.start));
      docs.push(last ? (blank ? blankline : hardline) : "", doc);
      last = { end: at.end, apart: own };
    };
    for (const element of elements) {
      let apart = element.apart ?? false;
      for (let own = this.comments[this.nextComment]; own && own.at.start < element.at.start; own = this.comments[this.nextComment]) {
        add(own.at, this.take(element.at.start) ?? "", apart || (last?.apart ?? false), false);
        apart = false;
      }
      const doc = element.print();
      const [first, ...rest] = this.after(element.at.end);
      // A doc comment that found no better place must not become the next item's.
      const own = (element.apart ?? false) || rest.some((text) => text.startsWith("///"));
      const below = rest.map((text, i) => [i === 0 && element.apart ? blankline : hardline, text]);
      add(element.at, [doc, first === undefined ? "" : suffix(` ${first}`), below], apart, own);
    }
    for (let own = this.comments[this.nextComment]; own && own.at.start < end; own = this.comments[this.nextComment])
      add(own.at, this.take(end) ?? "", last?.apart ?? false, false);
    return docs;
  }

  /** Comments inside something that found no place in it, and the one behind it. None is ever lost. */
  private after(end: number): string[] {
    const texts: string[] = [];
    for (let text = this.take(end); text !== undefined; text = this.take(end)) texts.push(text);
    const comment = this.comments[this.nextComment];
    if (comment && this.follows(end, comment.at.start)) texts.push(this.take(comment.at.end) ?? "");
    return texts;
  }

  private follows(end: number, start: number): boolean {
    return start >= end && /^[ \t,]*$/.test(this.text.slice(end, start));
  }

  private blankBetween(from: number, to: number): boolean {
    return (this.text.slice(from, to).match(/\r\n|\n|\r/g)?.length ?? 0) > 1;
  }

  /** `{ … }`: on one line if it was and fits, with commas where they are allowed; `{}` when there is nothing in it. */
  protected block(elements: readonly Element[], end: number, commas: boolean): Doc {
    const opened = this.afterBrace(elements[0]?.at.start ?? end);
    const inline = elements.length > 0 && (commas || elements.length === 1) && this.opensLine(elements[0]!.at.start) && !this.pending(end);
    if (inline && !opened) {
      const docs = elements.map((element) => element.print());
      const separated = docs.flatMap((doc, i) => (i ? [either("", ","), line, doc] : [doc]));
      return group("{", indent(line, separated), line, "}");
    }
    const body = this.lines(elements, end);
    if (!body.length) return opened ? ["{", opened, hardline, "}"] : "{}";
    return ["{", opened, indent(hardline, body), hardline, "}"];
  }

  protected pending(end: number): boolean {
    const comment = this.comments[this.nextComment];
    return comment !== undefined && comment.at.start < end;
  }

  /** Whether an element follows its block's `{` on the same line. */
  private opensLine(start: number): boolean {
    let at = start - 1;
    while (this.text[at] === " " || this.text[at] === "\t") at--;
    return this.text[at] === "{";
  }

  /** The comment that follows a `{` on its line. */
  private afterBrace(limit: number): Doc {
    const comment = this.comments[this.nextComment];
    if (!comment || comment.at.start >= limit) return "";
    let at = comment.at.start - 1;
    while (this.text[at] === " " || this.text[at] === "\t") at--;
    if (this.text[at] !== "{") return "";
    this.nextComment++;
    return suffix(` ${comment.text.trimEnd()}`);
  }

  /** `(a, b)`: on one line if it fits, else one element a line. */
  protected sequence(open: string, elements: readonly Element[], close: string, end: number): Doc {
    if (!elements.length && !this.pending(end)) return open + close;
    return group(open, indent(softline, this.separated(elements, end)), softline, close);
  }

  protected separated(elements: readonly Element[], end: number): Doc[] {
    const docs: Doc[] = [];
    elements.forEach((element, i) => {
      docs.push(
        i ? line : "",
        this.before(element.at.start),
        element.print(),
        i < elements.length - 1 ? "," : "",
        this.trailing(element.at.end),
      );
    });
    for (let text = this.take(end); text !== undefined; text = this.take(end)) docs.push(docs.length ? hardline : "", text, suffix(""));
    return docs;
  }
}
