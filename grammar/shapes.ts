// Text in, pieces out: what each stretch of it looks like, from its characters alone. Invariant: the pieces are the text, each character
// in exactly one of them. Shapes are tried in order, each a pattern that matches at one place (`y`).

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

const shapes: readonly (readonly [Shape, RegExp])[] = [
  ["blank", /[\s\uFEFF]+/y],
  ["name", /[A-Za-z_]\w*/y],
  ["comment", /\/\/[^\r\n]*/y],
  ["other comment", /#[^\r\n]*|\/\*(?:[^*]+|\*(?!\/))*(?:\*\/)?/y],
  ["sign", /\+\+|\+=|->|\.\.|\*\*|[=!<>]=|&&|\|\||[{}()[\],:=+\-*/@^~?|.<>]/y],
  ["number", new RegExp(`\\d+(?:_\\d+)*(?:\\.\\d+(?:_\\d+)*)?(?:[eE][+-]?\\d+)?(?:[ \\t]*(?:${unit}))?`, "y")],
  ["string", /"(?:[^"\\\r\n]|\\[^\r\n])*(?:"|\\?)/y],
  ["other string", /'[^'\r\n]*'|[“”„][^“”\r\n]*[“”]/y],
  [
    "other name",
    /[\u00aa\u00b5\u00ba\u00c0-\u1fff\u2c00-\ud7ff\uf900-\ufdff][\w\u00aa\u00b5\u00ba\u00c0-\u1fff\u2c00-\ud7ff\uf900-\ufdff]*/y,
  ],
  ["unknown", /[\s\S]/uy],
];

export const piecesOf = (text: string): readonly Piece[] => {
  const pieces: Piece[] = [];
  for (let start = 0; start < text.length; ) {
    const [shape, pattern] = shapes.find(([, pattern]) => {
      pattern.lastIndex = start;
      return pattern.test(text);
    })!;
    pieces.push({ shape, start, text: text.slice(start, pattern.lastIndex) });
    start = pattern.lastIndex;
  }
  return pieces;
};
