// Text in, tokens out. There are a dozen shapes (shapes.ts); `scan` then gives every word and sign its own token type, so
// a keyword costs a map entry instead of a pattern. Keywords stay names wherever a name can stand (category `Name`), except the
// six reserved words. Every character of the text is in exactly one token, comment, blank or reported error.

import { createToken, type IToken, type TokenType } from "chevrotain";
import { type Diagnostic, nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { piecesOf, unitNames } from "./shapes.ts";
import type { File, Span } from "./tree.ts";

/** More mistakes than this in one file are not listed. */
export const MAX_MISTAKES = 200;

const abstract = (name: string, label: string): TokenType => createToken({ name, label });

export const Name = abstract("Name", "a name");
export const Operator = abstract("Operator", "an operator");
export const Prefix = abstract("Prefix", "`-` or `not`");

const word = (text: string, ...categories: TokenType[]): TokenType =>
  createToken({ name: text[0]!.toUpperCase() + text.slice(1), label: `\`${text}\``, categories });
const sign = (name: string, text: string, ...categories: TokenType[]): TokenType => createToken({ name, label: `\`${text}\``, categories });

// Words that begin an item of a file.
export const Peft = word("peft", Name);
export const Import = word("import", Name);
export const Input = word("input", Name);
export const Base = word("base", Name);
export const Adapter = word("adapter", Name);
export const Data = word("data", Name);
export const Train = word("train", Name);
export const Evaluate = word("evaluate", Name);
export const Sweep = word("sweep", Name);
export const Compare = word("compare", Name);
export const Merge = word("merge", Name);
export const Require = word("require", Name);
export const Module = word("module", Name);
export const Interface = word("interface", Name);
export const Architecture = word("architecture", Name);
export const Method = word("method", Name);
export const Optimizer = word("optimizer", Name);
export const Schedule = word("schedule", Name);
export const Format = word("format", Name);

// Words that mean something in one place only.
export const From = word("from", Name);
export const On = word("on", Name);
export const Over = word("over", Name);
export const Into = word("into", Name);
export const As = word("as", Name);
export const Store = word("store", Name);
export const For = word("for", Name);
export const Amends = word("amends", Name);
export const Trains = word("trains", Name);
export const Is = word("is", Name);
export const Point = word("point", Name);
export const Each = word("each", Name);
export const Config = word("config", Name);
export const Param = word("param", Name);
export const Frozen = word("frozen", Name);
export const Shared = word("shared", Name);
export const Kept = word("kept", Name);
export const Let = word("let", Name);
export const State = word("state", Name);
export const Needs = word("needs", Name);
export const Observe = word("observe", Name);
export const Measure = word("measure", Name);
export const Forward = word("forward", Name);
export const Interop = word("interop", Name);
export const Repeat = word("repeat", Name);
export const Stacked = word("stacked", Name);
export const Named = word("named", Name);
export const Parameter = word("parameter", Name);
export const Transposed = word("transposed", Name);
export const Tied = word("tied", Name);
export const When = word("when", Name);
export const Every = word("every", Name);
export const Keep = word("keep", Name);

// Reserved: never a name.
export const If = word("if");
export const Then = word("then");
export const Else = word("else");
export const And = word("and", Operator);
export const Or = word("or", Operator);
export const Not = word("not", Prefix);

export const LeftBrace = sign("LeftBrace", "{");
export const RightBrace = sign("RightBrace", "}");
export const LeftParen = sign("LeftParen", "(");
export const RightParen = sign("RightParen", ")");
export const LeftBracket = sign("LeftBracket", "[");
export const RightBracket = sign("RightBracket", "]");
export const Comma = sign("Comma", ",");
export const Colon = sign("Colon", ":");
export const Equals = sign("Equals", "=");
export const Add = sign("Add", "+=");
export const Arrow = sign("Arrow", "->");
export const Dot = sign("Dot", ".");
export const DotDot = sign("DotDot", "..");
export const Tilde = sign("Tilde", "~");
export const Question = sign("Question", "?");
export const Bar = sign("Bar", "|");
export const DoubleStar = sign("DoubleStar", "**");
export const Star = sign("Star", "*", Operator);
export const Minus = sign("Minus", "-", Operator, Prefix);
export const At = sign("At", "@", Operator);
export const Caret = sign("Caret", "^", Operator);
export const Joins = sign("Joins", "++", Operator);
const operators = ["+", "/", "<", "<=", ">", ">=", "==", "!="].map((text, i) => sign(`Operator${i}`, text, Operator));

export const NumberToken = abstract("Number", "a number");
export const StringToken = abstract("String", "a string");

const types = new Map<string, TokenType>();
const itemWords = [
  Import,
  Input,
  Base,
  Adapter,
  Data,
  Train,
  Evaluate,
  Sweep,
  Compare,
  Merge,
  Require,
  Module,
  Interface,
  Architecture,
  Method,
  Optimizer,
  Schedule,
  Format,
];
const otherWords = [
  Peft,
  From,
  On,
  Over,
  Into,
  As,
  Store,
  For,
  Amends,
  Trains,
  Is,
  Point,
  Each,
  Config,
  Param,
  Frozen,
  Shared,
  Kept,
  Let,
  State,
  Needs,
  Observe,
  Measure,
  Forward,
  Interop,
  Repeat,
  Stacked,
  Named,
  Parameter,
  Transposed,
  Tied,
  When,
  Every,
  Keep,
];
const reserved = [If, Then, Else, And, Or, Not];
const signs = [
  LeftBrace,
  RightBrace,
  LeftParen,
  RightParen,
  LeftBracket,
  RightBracket,
  Comma,
  Colon,
  Equals,
  Add,
  Arrow,
  Dot,
  DotDot,
  Tilde,
  Question,
  Bar,
  DoubleStar,
  Star,
  Minus,
  At,
  Caret,
  Joins,
  ...operators,
];
/** The text a fixed token is written as. */
export const spelling = (type: TokenType): string => type.LABEL!.slice(1, -1);
for (const type of [...itemWords, ...otherWords, ...reserved, ...signs]) types.set(spelling(type), type);

/** Words that begin an item, by text. */
export const itemTypes: ReadonlyMap<string, TokenType> = new Map(itemWords.map((type) => [spelling(type), type]));
/** Everything the parser may see. */
export const vocabulary: TokenType[] = [Name, Operator, Prefix, NumberToken, StringToken, ...types.values()];

/** What the parser reads: tokens with where they stand on their lines, indexed alike. A token's `payload` is its index. */
export interface Scanned {
  readonly text: string;
  readonly file: string;
  readonly tokens: IToken[];
  /** Nothing but blanks and comments precedes it on its line. */
  readonly first: readonly boolean[];
  readonly column: readonly number[];
  /** The column of the first token on its line. */
  readonly indent: readonly number[];
  readonly comments: File["comments"];
  readonly diagnostics: Diagnostic[];
  /** Offsets where something was misread, in order: a syntax error after one of them, in the same unit, is its echo. */
  readonly misread: readonly number[];
}

export const endOf = (token: IToken): number => token.startOffset + token.image.length;

/** Splits a text into typed tokens. Never throws; what is no token is reported and left out. */
export const scan = (text: string, file: string): Scanned => {
  const span = (start: number, end: number): Span => ({ file, start, end });
  const found: Diagnostic[] = [];
  const misread: number[] = [];
  const add = (diagnostic: Diagnostic): void => {
    if (found.length <= MAX_MISTAKES) found.push(diagnostic);
  };
  const misreadAt = (offset: number, diagnostic: Diagnostic): void => {
    add(diagnostic);
    misread.push(offset);
  };

  const tokens: IToken[] = [];
  const comments: File["comments"][number][] = [];
  const first: boolean[] = [];
  const column: number[] = [];
  const indent: number[] = [];
  let lineStart = 0;
  let read = 0;
  let onLine = 0;
  for (const { shape, start, text: image } of piecesOf(text)) {
    const at = span(start, start + image.length);
    if (shape === "comment") comments.push({ text: image, at });
    else if (shape === "other comment") add(otherSpelling(at, image.startsWith("#") ? "#" : "/* … */", "//"));
    else if (shape === "unknown") misreadAt(start, unknown(at, image));
    if (shape === "blank" || shape === "comment" || shape === "other comment" || shape === "unknown") continue;
    for (; read < start; read++)
      if (text.charCodeAt(read) === 10 || text.charCodeAt(read) === 13) {
        lineStart = read + 1;
        onLine = 0;
      }
    read = at.end;
    const token: IToken = { image, startOffset: start, tokenType: Name, tokenTypeIdx: Name.tokenTypeIdx!, payload: undefined };
    const previous = tokens[tokens.length - 1];

    if (previous?.tokenType === NumberToken && shape === "name" && onLine > 0) {
      if (endOf(previous) === start && !unitOf(previous.image)) {
        const whole = previous.image + image;
        misreadAt(previous.startOffset, notANumber(span(previous.startOffset, read), whole, image));
        continue;
      }
      const meant =
        image.length < 2 || types.has(image) || startsOwn(text, read) || unitOf(previous.image) ? undefined : nearest(image, unitNames);
      if (meant) {
        const help = `did you mean \`${meant}\`?`;
        misreadAt(
          start,
          diagnostics.unknown_unit(at, { unit: image }, { help, fixes: [{ at, insert: meant, title: `write \`${meant}\`` }] }),
        );
        previous.image = text.slice(previous.startOffset, read);
        previous.payload = { index: tokens.length - 1, unit: meant };
        continue;
      }
    }

    if (shape === "name") retag(token, types.get(image) ?? Name);
    else if (shape === "sign") {
      const meant = image === "&&" ? "and" : image === "||" ? "or" : undefined;
      if (meant) add(otherSpelling(at, image, meant));
      const type = types.get(meant ?? image);
      if (!type) {
        misreadAt(start, diagnostics.unexpected_character(at, { text: image }));
        continue;
      }
      retag(token, type);
    } else if (shape === "string") {
      retag(token, StringToken);
      readString(image, start, file, misreadAt);
    } else if (shape === "other string") {
      const insert = `"${image.slice(1, -1).replace(/["\\]/g, "\\$&")}"`;
      add(
        diagnostics.other_spelling(
          at,
          { found: image[0]!, expected: '"' },
          { help: `write \`${insert}\``, fixes: [{ at, insert, title: "use double quotes" }] },
        ),
      );
      retag(token, StringToken);
    } else if (shape === "other name") {
      if (previous && endOf(previous) === start && previous.tokenType === Name) {
        previous.image += image;
        continue;
      }
      add(diagnostics.unexpected_character(at, { text: image }, { help: "names are made of the letters a to z, digits and `_`" }));
      retag(token, Name);
    } else {
      retag(token, NumberToken);
      if (!Number.isFinite(numberOf(image).value))
        add(diagnostics.not_a_number(at, { text: image }, { label: "too large", help: "a number is at most 1.8e308" }));
    }

    token.payload = { index: tokens.length, unit: undefined };
    tokens.push(token);
    first.push(onLine++ === 0);
    column.push(start - lineStart);
    indent.push(first.at(-1) ? start - lineStart : (indent.at(-1) ?? 0));
  }

  return {
    text,
    file,
    tokens,
    first,
    column,
    indent,
    comments,
    diagnostics: found,
    misread: misread.sort((a, b) => a - b),
  };
};

/** Gives a token another type, as if it had been read so. */
export const retag = (token: IToken, type: TokenType): void => {
  token.tokenType = type;
  token.tokenTypeIdx = type.tokenTypeIdx!;
};

const startsOwn = (text: string, offset: number): boolean => /^(?:[ \t]*\(|\s*(?:[:?.]|\+=|=(?!=)))/.test(text.slice(offset, offset + 40));

const unitOf = (image: string): string | undefined => /[ \t]*(%|[A-Za-z]+)$/.exec(image)?.[1];

/** A number token's parts. */
export const numberOf = (image: string): { text: string; value: number; unit?: string } => {
  const unit = unitOf(image);
  const text = unit ? image.slice(0, -unit.length).trimEnd() : image;
  return { text, value: Number(text.replaceAll("_", "")), ...(unit && { unit }) };
};

const notANumber = (at: Span, text: string, tail: string): Diagnostic => {
  const near = nearest(tail, unitNames);
  const help = near
    ? `did you mean \`${text.slice(0, -tail.length)} ${near}\`?`
    : "put a space or an operator between the number and the name";
  return diagnostics.not_a_number(at, { text }, { help });
};

const otherSpelling = (at: Span, found: string, expected: string): Diagnostic =>
  diagnostics.other_spelling(
    at,
    { found, expected },
    {
      help: `write \`${expected}\``,
      ...(found.length === at.end - at.start && { fixes: [{ at, insert: expected, title: `write \`${expected}\`` }] }),
    },
  );

const unknown = (at: Span, text: string): Diagnostic => {
  const code = text.codePointAt(0) ?? 0;
  const shown = text.length > 20 ? `${text.slice(0, 20)}…` : text;
  const printable = code > 32 && code !== 127 && !(code >= 0xd800 && code <= 0xdfff && text.length === 1) && code !== 0xfffd;
  const help =
    text === ";"
      ? "nothing is needed at the end of a line; leave it out"
      : text === "!"
        ? "negation is written `not`"
        : text === "…"
          ? "any leading axes are written `..`"
          : printable
            ? "leave it out, or put it in a string"
            : "the file may be damaged, or not be text; save it as UTF-8";
  return diagnostics.unexpected_character(
    at,
    { text: printable ? shown : `U+${code.toString(16).toUpperCase().padStart(4, "0")}` },
    { help },
  );
};

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", '"': '"', "\\": "\\" };

/** The text a string token stands for. Mistakes in it are passed to `mistake`; they are reported once, by `scan`. */
export const readString = (
  image: string,
  offset: number,
  file: string,
  mistake?: (offset: number, diagnostic: Diagnostic) => void,
): string => {
  if (!image.startsWith('"')) return image.slice(1, -1); // another language's quotes
  if (!image.includes("\\") && image.length > 1 && image.endsWith('"')) return image.slice(1, -1);
  const span = (start: number, end: number): Span => ({ file, start: offset + start, end: offset + end });
  const parts: string[] = [];
  let closed = false;
  let i = 1;
  while (i < image.length) {
    const stop = nextSpecial(image, i);
    parts.push(image.slice(i, stop));
    i = stop;
    if (image[i] === '"') {
      closed = true;
      break;
    }
    if (image[i] !== "\\") break;
    const code = /^\\u\{([0-9a-fA-F]{1,6})\}/.exec(image.slice(i, i + 10));
    const value = code ? Number.parseInt(code[1]!, 16) : -1;
    if (code && value <= 0x10ffff) {
      parts.push(String.fromCodePoint(value));
      i += code[0].length;
      continue;
    }
    const meaning = escapes[image[i + 1] ?? ""];
    if (meaning === undefined && i + 1 < image.length) {
      const length = code ? code[0].length : 2;
      const found = image.slice(i, i + length);
      const help =
        found === "\\u"
          ? "a character by its number is written `\\u{e9}`"
          : 'a backslash itself is written `\\\\`; the escapes are \\n \\t \\r \\" \\\\ \\u{…}';
      mistake?.(offset + i, diagnostics.unknown_escape(span(i, i + length), { escape: found }, { help }));
      parts.push(found);
      i += length;
      continue;
    }
    parts.push(meaning ?? "");
    i += 2;
  }
  if (!closed)
    mistake?.(
      offset,
      diagnostics.unterminated_string(span(0, image.length), {
        help: 'end it with `"` on the same line; a line break inside is written `\\n`',
      }),
    );
  return parts.join("");
};

const nextSpecial = (image: string, from: number): number => {
  let i = from;
  while (i < image.length && image[i] !== '"' && image[i] !== "\\") i++;
  return i;
};
