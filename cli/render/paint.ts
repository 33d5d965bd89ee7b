// Roles of text, and their colours where there are colours. Names say what a thing is, so a theme is this file.

export interface Paint {
  readonly error: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly strong: (text: string) => string;
  /** Line numbers, bars and arrows. */
  readonly edge: (text: string) => string;
  readonly help: (text: string) => string;
  readonly faint: (text: string) => string;
  readonly good: (text: string) => string;
}

/** A number that begins a style, and the one that ends it (ECMA-48, 8.3.117). */
const style =
  (begin: number, end: number) =>
  (text: string): string =>
    `\x1b[${begin}m${text}\x1b[${end}m`;
const bold = style(1, 22);
const colour = (begin: number) => style(begin, 39);

const coloured: Paint = {
  error: (text) => bold(colour(31)(text)),
  warning: (text) => bold(colour(33)(text)),
  strong: bold,
  edge: colour(34),
  help: colour(36),
  faint: style(2, 22),
  good: colour(32),
};
const same = (text: string): string => text;
const plain: Paint = { error: same, warning: same, strong: same, edge: same, help: same, faint: same, good: same };

export const paintFor = (wanted: boolean): Paint => (wanted ? coloured : plain);
