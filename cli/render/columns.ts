// A source line -> what stands on the screen, and which screen column each offset has. Tabs become spaces, a wide character
// takes two columns, a combining one none. Control and direction-changing characters are pictured, so that a file
// can neither move the cursor nor show its text in another order than the parser read it.

import { eastAsianWidth } from "get-east-asian-width";

const tab = 4;

export interface Screen {
  readonly text: string;
  readonly width: number;
  /** Column (from 0) of an offset into the line; an offset past the end counts one column each. */
  readonly column: (offset: number) => number;
}

/** ASCII, Latin, Greek, punctuation, arrows, signs of mathematics, boxes: each takes one column, and nothing among them combines. */
const plain =
  /^[ -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0377\u0384-\u0482\u2010-\u2027\u2030-\u205e\u2190-\u22ff\u2500-\u257f\u25a0-\u25cf\u2713-\u2718]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about.
const control = /[\u0000-\u001f\u007f-\u009f]/;
const direction = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

// Made when the first line beyond ASCII is shown, since making it is dear beside the rest of a short run.
let segmenter: Intl.Segmenter | undefined;
const graphemes = (text: string): Iterable<{ readonly segment: string }> => {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return segmenter.segment(text);
};

const nothing = /^[\p{Default_Ignorable_Code_Point}\p{Control}\p{Mark}\p{Surrogate}]+$/u;
const pictograph = /\p{Emoji_Presentation}|\p{Emoji}\ufe0f/u;

/** Columns of one character as a person counts them, by its first code point (Unicode Standard Annex 11), an emoji two. */
const columnsOf = (grapheme: string): number =>
  nothing.test(grapheme) ? 0 : pictograph.test(grapheme) ? 2 : eastAsianWidth(grapheme.codePointAt(0)!);

export const widthOf = (text: string): number => {
  if (plain.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes(text)) width += columnsOf(segment);
  return width;
};

export const screenOf = (line: string): Screen => {
  if (plain.test(line)) return { text: line, width: line.length, column: (offset) => offset };
  let text = "";
  let width = 0;
  const columns: number[] = [];
  for (const { segment } of graphemes(line)) {
    for (let unit = 0; unit < segment.length; unit++) columns.push(width);
    const shown = picture(segment, width);
    text += shown;
    width += widthOf(shown);
  }
  return { text, width, column: (offset) => columns[offset] ?? width + offset - columns.length };
};

const picture = (grapheme: string, column: number): string => {
  if (grapheme === "\t") return " ".repeat(tab - (column % tab));
  if (direction.test(grapheme)) return "\ufffd";
  const code = grapheme.charCodeAt(0);
  if (!control.test(grapheme)) return grapheme;
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd";
};

/** The columns [from, to) of a line's screen text, as wide as they are. A wide character cut in half becomes a space. */
export const slice = (text: string, from: number, to: number): string => {
  if (plain.test(text)) return text.slice(from, to);
  let result = "";
  let column = 0;
  for (const { segment } of graphemes(text)) {
    const end = column + widthOf(segment);
    if (column >= from && end <= to) result += segment;
    else if (end > from && column < to) result += " ";
    column = end;
  }
  return result;
};

/** Text that came from a file, safe to print inside a sentence. */
export const safe = (text: string): string =>
  text
    .split("\n")
    .map((line) => screenOf(line).text)
    .join("\n");
