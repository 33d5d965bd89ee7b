// A source line -> what stands on the screen, and which screen column each offset has. Tabs become spaces, a wide character
// takes two columns, a combining one none. Control and direction-changing characters are pictured, so that a file
// can neither move the cursor nor show its text in another order than the parser read it.

import stringWidth from "string-width";

const tab = 4;

export interface Screen {
  readonly text: string;
  readonly width: number;
  /** Column (from 0) of an offset into the line; an offset past the end counts one column each. */
  readonly column: (offset: number) => number;
}

const printableAscii = /^[ -~]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about.
const control = /[\u0000-\u001f\u007f-\u009f]/;
const direction = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

// Made when the first line beyond ASCII is shown, since making it is dear beside the rest of a short run.
let segmenter: Intl.Segmenter | undefined;
const graphemes = (text: string): Iterable<{ readonly segment: string }> => {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return segmenter.segment(text);
};

export const widthOf = (text: string): number => (printableAscii.test(text) ? text.length : stringWidth(text));

export const screenOf = (line: string): Screen => {
  if (printableAscii.test(line)) return { text: line, width: line.length, column: (offset) => offset };
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
  if (printableAscii.test(text)) return text.slice(from, to);
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
