// Mistakes in, diagnostics out, and the parser back on its feet. The text is read in units (an item, a member, an entry): a unit
// reports at most one syntax error and is then skipped, so one slip gives one error and the next unit is read as if nothing had
// happened. Skipping trusts brackets first and indentation where brackets disagree; both are hints, so any text is survived.

import {
  EmbeddedActionsParser,
  type IOrAlt,
  type IParserConfig,
  type IToken,
  isRecognitionException,
  MismatchedTokenException,
  type TokenType,
} from "chevrotain";
import { type Details, type Diagnostic, nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { resumeAt } from "./resume.ts";
import {
  Add,
  Colon,
  Comma,
  Dot,
  Equals,
  endOf,
  Frozen,
  Import,
  Interop,
  itemTypes,
  Kept,
  LeftBrace,
  LeftBracket,
  LeftParen,
  Let,
  MAX_MISTAKES,
  Measure,
  Name,
  Needs,
  NumberToken,
  Observe,
  Param,
  Require,
  RightBrace,
  RightBracket,
  RightParen,
  retag,
  type Scanned,
  Shared,
  State,
  StringToken,
  spelling,
  vocabulary,
} from "./tokens.ts";
import type { Name as NameNode, Span } from "./tree.ts";

/** How many expressions may stand inside each other; the parser's own stack allows about five times as many. */
export const MAX_DEPTH = 100;
/** How far ahead a closing bracket is looked for when one seems to be missing; keeps any text linear. */
const REACH = 400;

const memberWords: readonly TokenType[] = [Param, Frozen, Shared, Kept, Let, State, Observe, Measure, Needs, Interop];

const nothing: Scanned = { text: "", file: "", tokens: [], first: [], column: [], indent: [], comments: [], diagnostics: [], misread: [] };

export abstract class Recovering extends EmbeddedActionsParser {
  protected source = nothing;
  protected reports: Diagnostic[] = [];
  protected depth = 0;
  /** Index of the token the present unit began with. */
  private unitStart = 0;
  private unitForm: string | undefined;
  private unitReported = false;
  private unitIsItem = false;
  /** Column of the present item, when it began its line: whatever stands left of it and looks like an item is one. */
  private itemColumn = 0;

  constructor(settings: IParserConfig) {
    super(vocabulary, {
      maxLookahead: 1,
      errorMessageProvider: {
        // A recognition exception carries only what was expected; `recover` words the rest.
        buildMismatchTokenMessage: ({ expected }) => expected.LABEL ?? expected.name,
        buildNoViableAltMessage: ({ customUserDescription }) => customUserDescription ?? "something else",
        buildEarlyExitMessage: ({ customUserDescription }) => customUserDescription ?? "something else",
        buildNotAllInputParsedMessage: () => "the end of the file",
      },
      ...settings,
    });
  }

  protected begin(source: Scanned): void {
    this.source = source;
    this.reports = [];
    this.depth = 0;
    this.unitStart = 0;
    this.unitForm = undefined;
    this.unitReported = false;
    this.itemColumn = 0;
    this.input = source.tokens.slice(); // Chevrotain appends its own end marks
  }

  // ---- where we are ---------------------------------------------------------------------------------------------------

  protected indexOf(token: IToken): number {
    return (token.payload as { index: number } | undefined)?.index ?? this.source.tokens.length;
  }

  protected ended(): boolean {
    return this.indexOf(this.LA(1)) >= this.source.first.length;
  }

  /** Offset where the next token starts. */
  protected start(): number {
    return this.ended() ? this.source.text.length : this.LA(1).startOffset;
  }

  /** From an offset to the end of what was consumed last. */
  protected span(start: number): Span {
    const last = this.LA(0);
    return { file: this.source.file, start, end: Math.max(start, last.startOffset < 0 ? start : endOf(last)) };
  }

  protected spanOf(token: IToken): Span {
    if (this.indexOf(token) >= this.source.first.length)
      return { file: this.source.file, start: this.source.text.length, end: this.source.text.length };
    return { file: this.source.file, start: token.startOffset, end: endOf(token) };
  }

  protected nameOf(token: IToken): NameNode {
    return { text: token.image, at: this.spanOf(token) };
  }

  protected onSameLine(): boolean {
    return !this.source.first[this.indexOf(this.LA(1))];
  }

  protected next(type: TokenType, ahead = 1): boolean {
    return this.tokenIs(this.LA(ahead), type);
  }

  protected tokenIs(token: IToken | undefined, type: TokenType): boolean {
    if (!token || token.startOffset < 0) return false;
    return token.tokenType === type || (token.tokenType.CATEGORIES?.includes(type) ?? false);
  }

  /** Whether the next token is used as a word of the language, not as a name that is given a value: `param w`, not `param = 3`. */
  protected asWord(): boolean {
    return !(this.next(Equals, 2) || this.next(Add, 2) || this.next(Dot, 2) || this.next(Colon, 2));
  }

  /** Whether the next token is the first word of a member on a line of its own: `param w …`, `let x …`. */
  protected startsMember(): boolean {
    const token = this.LA(1);
    return memberWords.includes(token.tokenType) && !this.onSameLine() && this.next(Name, 2);
  }

  /** Whether the next token begins an item, left of or level with the present one. */
  protected startsItem(): boolean {
    return !this.RECORDING_PHASE && this.itemAt(this.indexOf(this.LA(1)));
  }

  private itemAt(index: number): boolean {
    const { tokens, first, column } = this.source;
    const token = tokens[index];
    if (!first[index] || !token || column[index]! > this.itemColumn || itemTypes.get(token.image) !== token.tokenType) return false;
    const next = tokens[index + 1];
    if (token.tokenType === Require) return this.tokenIs(next, LeftBrace);
    if (token.tokenType === Import) return this.tokenIs(next, LeftBrace) || this.tokenIs(next, StringToken);
    return this.tokenIs(next, Name);
  }

  // ---- reporting ------------------------------------------------------------------------------------------------------

  protected add(diagnostic: Diagnostic): void {
    if (this.reports.length <= MAX_MISTAKES) this.reports.push(diagnostic);
  }

  /** Reports a mistake after which reading goes on; what else goes wrong in this unit is taken for its echo. */
  protected repaired(diagnostic: Diagnostic): void {
    if (this.RECORDING_PHASE || this.unitReported) return;
    this.unitReported = true;
    if (!this.echoes(this.indexOf(this.LA(1)))) this.add(diagnostic);
  }

  /** Reports a mistake and gives the unit up. */
  protected abandon(diagnostic: Diagnostic): never {
    this.repaired(diagnostic);
    throw new MismatchedTokenException("", this.LA(1), this.LA(0));
  }

  /** Whether a character or string between the unit's start and here was misread: then a syntax error is no news. */
  private echoes(index: number): boolean {
    const { misread, tokens, text } = this.source;
    const from = tokens[this.unitStart]?.startOffset ?? text.length;
    const to = tokens[index]?.startOffset ?? text.length;
    let low = 0;
    for (let high = misread.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (misread[middle]! < from) low = middle + 1;
      else high = middle;
    }
    return low < misread.length && misread[low]! <= to;
  }

  protected unexpected(expected: string, token: IToken, details: Details = {}): Diagnostic {
    const index = this.indexOf(token);
    const { tokens, first, text, file } = this.source;
    const previous = tokens[index - 1];
    const help = details.help ?? this.slipHelp(expected, token) ?? this.unitForm;
    const rest = { ...details, ...(help && { help }) };
    // What is missing at a line's end is missing there, not at the start of the next line.
    if (previous && index > this.unitStart && (index >= tokens.length || first[index])) {
      const at = { file, start: endOf(previous), end: endOf(previous) };
      const found = index >= first.length && !text.slice(at.end).includes("\n") ? "the end of the file" : "the end of the line";
      return diagnostics.unexpected(at, { expected, found }, { label: `expected ${expected} here`, ...rest });
    }
    const found = index >= first.length ? "the end of the file" : `\`${shortened(token.image)}\``;
    return diagnostics.unexpected(this.spanOf(token), { expected, found }, { label: `expected ${expected}`, ...rest });
  }

  private slipHelp(expected: string, token: IToken): string | undefined {
    const words = [...expected.matchAll(/`([a-z]+)`/g)].map((match) => match[1]!);
    const near = this.tokenIs(token, Name) ? nearest(token.image, words) : undefined;
    return near && `did you mean \`${near}\`?`;
  }

  /** Reads a word of the language; a near miss is reported and taken for it. */
  protected word(index: number, type: TokenType): IToken {
    this.ACTION(() => {
      if (!this.next(type)) this.slip(type);
    });
    return this.consume(index, type);
  }

  /** If the next token is a near miss of a word that could stand here, reports that and makes it the word. */
  protected slip(...allowed: TokenType[]): void {
    this.ACTION(() => {
      if (this.onSameLine() && !this.next(LeftParen, 2)) this.mend(allowed);
    });
  }

  /** At the start of a member: `parm w: […]` is a `param`, when what follows could not be anything else. */
  protected slipAtStart(beforeName: readonly TokenType[], beforeParen: readonly TokenType[]): void {
    this.ACTION(() => {
      if (this.source.first[this.indexOf(this.LA(2))]) return;
      if (this.next(Name, 2)) this.mend(beforeName);
      else if (this.next(LeftParen, 2)) this.mend(beforeParen);
    });
  }

  private mend(allowed: readonly TokenType[]): void {
    this.ACTION(() => {
      const token = this.LA(1);
      if (!this.tokenIs(token, Name) || allowed.includes(token.tokenType) || !this.asWord()) return;
      const meant = nearest(token.image, allowed.map(spelling));
      const type = allowed.find((candidate) => spelling(candidate) === meant);
      if (!meant || !type) return;
      const at = this.spanOf(token);
      this.repaired(
        diagnostics.unexpected(
          at,
          { expected: `\`${meant}\``, found: `\`${token.image}\`` },
          { help: `did you mean \`${meant}\`?`, fixes: [{ at, insert: meant, title: `write \`${meant}\`` }] },
        ),
      );
      retag(token, type);
    });
  }

  // ---- units ----------------------------------------------------------------------------------------------------------

  /** Reads one unit. If it cannot be read, reports why, skips to where the next one starts and returns nothing. */
  protected unit<T>(form: string | undefined, read: () => T, isItem = false): T | undefined {
    if (this.RECORDING_PHASE) return read();
    const outer = { start: this.unitStart, form: this.unitForm, reported: this.unitReported, isItem: this.unitIsItem, depth: this.depth };
    this.unitStart = this.indexOf(this.LA(1));
    this.unitForm = form;
    this.unitReported = false;
    this.unitIsItem = isItem;
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Error) || !isRecognitionException(error)) throw error;
      this.recover(error.message, (error as MismatchedTokenException).token);
      return undefined;
    } finally {
      this.unitStart = outer.start;
      this.unitForm = outer.form;
      this.unitReported = outer.reported;
      this.unitIsItem = outer.isItem;
      this.depth = outer.depth;
    }
  }

  /** A unit that is an item: what stands level with its first word and looks like an item ends it. */
  protected itemUnit<T>(form: string, read: () => T): T | undefined {
    const outer = this.itemColumn;
    this.ACTION(() => {
      const index = this.indexOf(this.LA(1));
      if (this.source.first[index]) this.itemColumn = this.source.column[index] ?? 0;
    });
    const item = this.unit(form, read, true);
    this.itemColumn = outer;
    return item;
  }

  private recover(expected: string, token: IToken): void {
    if (expected) {
      const closing = this.tokenIs(token, RightBrace) || this.tokenIs(token, RightParen) || this.tokenIs(token, RightBracket);
      if (closing && this.indexOf(token) === this.unitStart) this.repaired(this.stray(token));
      else this.repaired(this.unexpected(expected, token));
    }
    this.skip();
  }

  protected stray(token: IToken): Diagnostic {
    return diagnostics.stray_bracket(this.spanOf(token), { close: token.image }, { help: "leave it out, or open it above" });
  }

  /** Moves from inside the present unit to where the next one starts. */
  protected skip(): void {
    const from = Math.max(this.indexOf(this.LA(1)), this.unitStart + 1);
    const to = resumeAt(this.source, this.unitStart, from, this.unitIsItem, (index) => this.itemAt(index));
    while (!this.ended() && this.indexOf(this.LA(1)) < to) this.consume(0, this.LA(1).tokenType);
  }

  /** Chevrotain's OR with the alternatives' common type and the words for what was expected. One per rule. */
  protected choose<T>(expected: string, alternatives: IOrAlt<T>[]): T {
    return this.or(0, { ERR_MSG: expected, DEF: alternatives }) as T;
  }

  // ---- brackets -------------------------------------------------------------------------------------------------------

  /**
   * `{ element element … }`, commas between them where `commas`. Elements recover on their own. What is `foreign`, and no further
   * right than the line of the `{`, belongs to a block around this one, which then was not closed.
   */
  protected block<T>(
    index: number,
    element: () => T | undefined,
    { expected, commas = false, foreign = () => false }: { expected: string; commas?: boolean; foreign?: () => boolean },
  ): T[] {
    const open = this.open(index);
    const elements: T[] = [];
    const ends = (): boolean => this.startsItem() || (this.outdented(open) && foreign());
    do {
      this.many(index, {
        GATE: () => !ends(),
        DEF: () => {
          const read = element();
          if (read !== undefined) elements.push(read);
          this.option(index, { GATE: () => commas, DEF: () => this.consume(index + 100, Comma) });
        },
      });
    } while (this.strayElement(expected, ends));
    this.close(index + 50, RightBrace, open);
    return elements;
  }

  private outdented(open: IToken): boolean {
    const index = this.indexOf(this.LA(1));
    const { first, column, indent } = this.source;
    return first[index] === true && column[index]! <= (indent[this.indexOf(open)] ?? -1);
  }

  /** Reads a `{`. If the block goes on without it, on the next line or to a `}` further on, reports that and goes on, too. */
  private open(index: number): IToken {
    const here = this.LA(1);
    if (this.RECORDING_PHASE || this.next(LeftBrace) || this.ended() || this.startsItem()) return this.consume(index, LeftBrace);
    if (!(this.next(Name) || this.next(StringToken)) || !this.closesAhead(RightBrace)) return this.consume(index, LeftBrace);
    this.repaired(this.unexpected("`{`", here));
    return this.LA(0);
  }

  /** In a block, at something that begins no element: reports it, skips it, and says so. */
  private strayElement(expected: string, ends: () => boolean): boolean {
    if (this.RECORDING_PHASE || this.ended() || this.next(RightBrace) || ends()) return false;
    this.unit(undefined, () => {
      const token = this.LA(1);
      const closing = this.tokenIs(token, RightParen) || this.tokenIs(token, RightBracket);
      this.abandon(closing ? this.stray(token) : this.unexpected(expected, token));
    });
    return true;
  }

  /** Elements with commas between them up to a closing bracket; one comma may trail. */
  protected sequence<T>(index: number, open: IToken, closer: TokenType, element: () => T): T[] {
    const elements: T[] = [];
    let comma = true;
    this.many(index, {
      GATE: () => !this.startsItem() && (comma || this.forgotComma(closer)),
      DEF: () => {
        const read = element();
        this.ACTION(() => elements.push(read));
        comma = this.option(index, () => this.consume(index + 100, Comma)) !== undefined;
      },
    });
    this.close(index + 50, closer, open, comma ? undefined : `\`,\` or ${closer.LABEL}`);
    return elements;
  }

  /** After an element with neither comma nor closing bracket: if the bracket is closed further on, only the comma is missing. */
  private forgotComma(closer: TokenType): boolean {
    if (this.RECORDING_PHASE || !this.closesAhead(closer)) return false;
    if (!(this.next(Name) || this.next(NumberToken) || this.next(StringToken))) return false;
    const at = { ...this.spanOf(this.LA(0)), start: endOf(this.LA(0)) };
    this.repaired(
      diagnostics.unexpected(
        this.spanOf(this.LA(1)),
        { expected: `\`,\` or ${closer.LABEL}`, found: `\`${shortened(this.LA(1).image)}\`` },
        { help: "put a comma between the two", fixes: [{ at, insert: ",", title: "insert `,`" }] },
      ),
    );
    return true;
  }

  private closesAhead(closer: TokenType): boolean {
    const { tokens } = this.source;
    let open = 0;
    const from = this.indexOf(this.LA(1));
    for (let index = from; index < tokens.length && index < from + REACH && !this.itemAt(index); index++) {
      const type = tokens[index]!.tokenType;
      if (type === LeftBrace || type === LeftParen || type === LeftBracket) open++;
      else if (type === RightBrace || type === RightParen || type === RightBracket) {
        if (open === 0) return type === closer;
        open--;
      }
    }
    return false;
  }

  /** Reads a closing bracket. If it is missing altogether, reports that at the opening one and goes on as if it were there. */
  protected close(index: number, closer: TokenType, open: IToken, expected?: string): void {
    if (this.RECORDING_PHASE || this.next(closer)) {
      this.consume(index, closer);
      return;
    }
    const last = this.LA(0);
    if (this.closesAhead(closer)) this.abandon(this.unexpected(expected ?? closer.LABEL!, this.LA(1)));
    const at = { file: this.source.file, start: endOf(last), end: endOf(last) };
    const close = spelling(closer);
    this.repaired(
      diagnostics.unclosed_bracket(
        this.spanOf(open),
        { open: open.image },
        {
          label: "opened here",
          notes: [{ message: `\`${close}\` is expected here at the latest`, at }],
          help: `close it with \`${close}\``,
          fixes: [{ at, insert: close, title: `insert \`${close}\`` }],
        },
      ),
    );
  }
}

/** A token's text as a message shows it. */
export const shortened = (image: string): string => (image.length > 40 ? `${image.slice(0, 39)}…` : image);
