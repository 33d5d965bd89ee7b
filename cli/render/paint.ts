// Roles of text, and their colours where there are colours. Names say what a thing is, so a theme is this file.

import pico from "picocolors";

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

export const paintFor = (colour: boolean): Paint => {
  const { red, yellow, bold, blue, cyan, dim, green } = pico.createColors(colour);
  return {
    error: (text) => bold(red(text)),
    warning: (text) => bold(yellow(text)),
    strong: bold,
    edge: blue,
    help: cyan,
    faint: dim,
    good: green,
  };
};
