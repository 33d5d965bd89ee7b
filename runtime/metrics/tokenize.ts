// Text to words as the translation metrics cut it. `13a`, `intl`, `char` and `none` are sacrebleu's (mteval-v13a.pl and v14 behind
// them); `mteval` is mteval-v13a.pl itself, which also folds case and knows more entities.

export const tokenizers = ["13a", "intl", "char", "none", "mteval"] as const;
export type TokenizerName = (typeof tokenizers)[number];

const words = (text: string): string[] => text.split(/\s+/u).filter((word) => word !== "");

const entities = (text: string): string =>
  text.replaceAll("&quot;", '"').replaceAll("&amp;", "&").replaceAll("&lt;", "<").replaceAll("&gt;", ">");

/** The language-dependent part of mteval-v13a: punctuation apart, but not inside numbers. */
const western = (text: string): string[] =>
  words(
    ` ${text} `
      .replace(/([{-~[-` -&(-+:-@/])/g, " $1 ")
      .replace(/([^0-9])([.,])/g, "$1 $2 ")
      .replace(/([.,])([^0-9])/g, " $1 $2")
      .replace(/([0-9])(-)/g, "$1 $2 "),
  );

const cutters: Readonly<Record<TokenizerName, (text: string) => string[]>> = {
  "13a": (text) => western(entities(text.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " "))),
  intl: (text) =>
    words(
      text
        .replace(/(\P{N})(\p{P})/gu, "$1 $2 ")
        .replace(/(\p{P})(\P{N})/gu, " $1 $2")
        .replace(/(\p{S})/gu, " $1 "),
    ),
  char: (text) => [...text].filter((character) => !/\s/u.test(character)),
  none: words,
  mteval: (text) =>
    // tr/A-Z/a-z/: letters beyond ASCII keep their case.
    western(
      entities(text.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " "))
        .replaceAll("&apos;", "'")
        .replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
    ),
};

export const tokenizer = (name: string): ((text: string) => string[]) => cutters[name as TokenizerName];
