// Text in, pieces out: what each stretch of it looks like, from its characters alone. Invariant: the pieces are the text, each character
// in exactly one of them. Shapes are tried in order.

import { createToken, Lexer } from "chevrotain";

export type Shape =
  | "blank"
  | "name"
  | "comment"
  | "sign"
  | "number"
  /** Unterminated ones included: the piece ends at the line's end. */
  | "string"
  // Spellings of other languages.
  | "other comment"
  | "other string"
  | "other name"
  | "unknown";

export interface Piece {
  readonly shape: Shape;
  readonly start: number;
  readonly text: string;
}

export const unitNames =
  "KB MB GB TB KiB MiB GiB TiB step steps epoch epochs token tokens row rows second seconds minute minutes hour hours".split(" ");
// A unit is not one when the word after the number starts something of its own: `{ r: 8 tokens: 4 }`, `state m = 0 step += 1`.
const unit = `%|(?:${[...unitNames].sort((a, b) => b.length - a.length).join("|")})(?!\\w)(?![ \\t]*\\(|\\s*(?:[:?.]|\\+=|=(?!=)))`;

const patterns: Readonly<Record<Shape, RegExp>> = {
  blank: /[\s\uFEFF]+/,
  name: /[A-Za-z_]\w*/,
  comment: /\/\/[^\r\n]*/,
  "other comment": /#[^\r\n]*|\/\*(?:[^*]+|\*(?!\/))*(?:\*\/)?/,
  sign: /\+\+|\+=|->|\.\.|\*\*|[=!<>]=|&&|\|\||[{}()[\],:=+\-*/@^~?|.<>]/,
  number: new RegExp(`\\d+(?:_\\d+)*(?:\\.\\d+(?:_\\d+)*)?(?:[eE][+-]?\\d+)?(?:[ \\t]*(?:${unit}))?`),
  string: /"(?:[^"\\\r\n]|\\[^\r\n])*(?:"|\\?)/,
  "other string": /'[^'\r\n]*'|[“”„][^“”\r\n]*[“”]/,
  "other name": /[\u00aa\u00b5\u00ba\u00c0-\u1fff\u2c00-\ud7ff\uf900-\ufdff][\w\u00aa\u00b5\u00ba\u00c0-\u1fff\u2c00-\ud7ff\uf900-\ufdff]*/,
  unknown: /[\s\S]/u,
};

// No analysis of first characters: a dozen patterns are tried in less time than it takes to start up.
const lexer = new Lexer(
  Object.entries(patterns).map(([name, pattern]) => createToken({ name, pattern })),
  { positionTracking: "onlyOffset", skipValidations: true, safeMode: true },
);

export const piecesOf = (text: string): readonly Piece[] =>
  lexer
    .tokenize(text)
    .tokens.map(({ tokenType, startOffset, image }) => ({ shape: tokenType.name as Shape, start: startOffset, text: image }));
