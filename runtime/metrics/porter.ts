// Word stems for ROUGE and METEOR: Porter's algorithm (1980) with the extensions of NLTK's PorterStemmer, which rouge-score uses
// (short words left alone, `ies` and `ied` of four letters, a handful of irregular forms).

const irregular: Readonly<Record<string, string>> = {
  ...{ sky: "sky", skies: "sky", dying: "die", lying: "lie", tying: "tie", news: "news", innings: "inning", inning: "inning" },
  ...{ outings: "outing", outing: "outing", cannings: "canning", canning: "canning", howe: "howe" },
  ...{ proceed: "proceed", exceed: "exceed", succeed: "succeed" },
};

const isConsonant = (word: string, i: number): boolean => {
  const c = word[i]!;
  if ("aeiou".includes(c)) return false;
  return c !== "y" || i === 0 || !isConsonant(word, i - 1);
};

/** m of Porter's [C](VC)^m[V]. */
const measure = (stem: string): number => {
  let m = 0;
  let before = true; // a consonant, or nothing
  for (let i = 0; i < stem.length; i++) {
    const consonant = isConsonant(stem, i);
    if (consonant && !before) m++;
    before = consonant;
  }
  return m;
};

const hasVowel = (stem: string): boolean => {
  for (let i = 0; i < stem.length; i++) if (!isConsonant(stem, i)) return true;
  return false;
};

const endsDouble = (word: string): boolean => word.length >= 2 && word.at(-1) === word.at(-2) && isConsonant(word, word.length - 1);

const endsCvc = (word: string): boolean => {
  const n = word.length;
  if (n >= 3 && isConsonant(word, n - 3) && !isConsonant(word, n - 2) && isConsonant(word, n - 1)) return !"wxy".includes(word[n - 1]!);
  return n === 2 && !isConsonant(word, 0) && isConsonant(word, 1);
};

type Rule = readonly [suffix: string, replacement: string, holds?: (stem: string) => boolean];

/** The first rule whose suffix fits decides, whether its condition holds or not. */
const apply = (word: string, rules: readonly Rule[]): string => {
  for (const [suffix, replacement, holds] of rules) {
    if (!word.endsWith(suffix)) continue;
    const stem = word.slice(0, word.length - suffix.length);
    return !holds || holds(stem) ? stem + replacement : word;
  }
  return word;
};

const positive = (stem: string): boolean => measure(stem) > 0;
const more = (stem: string): boolean => measure(stem) > 1;

const plural = (word: string): string =>
  word.length === 4 && word.endsWith("ies")
    ? word.slice(0, -1)
    : apply(word, [
        ["sses", "ss"],
        ["ies", "i"],
        ["ss", "ss"],
        ["s", ""],
      ]);

const past = (word: string): string => {
  if (word.endsWith("ied")) return word.length === 4 ? word.slice(0, -1) : word.slice(0, -2);
  if (word.endsWith("eed")) return positive(word.slice(0, -3)) ? word.slice(0, -1) : word;
  const suffix = ["ed", "ing"].find((end) => word.endsWith(end) && hasVowel(word.slice(0, -end.length)));
  if (!suffix) return word;
  const stem = word.slice(0, -suffix.length);
  for (const end of ["at", "bl", "iz"]) if (stem.endsWith(end)) return `${stem}e`;
  if (endsDouble(stem)) return "lsz".includes(stem.at(-1)!) ? stem : stem.slice(0, -1);
  return measure(stem) === 1 && endsCvc(stem) ? `${stem}e` : stem;
};

const second: readonly Rule[] = [
  ...[
    ["ational", "ate"],
    ["tional", "tion"],
    ["enci", "ence"],
    ["anci", "ance"],
    ["izer", "ize"],
    ["bli", "ble"],
    ["alli", "al"],
  ],
  ...[
    ["entli", "ent"],
    ["eli", "e"],
    ["ousli", "ous"],
    ["ization", "ize"],
    ["ation", "ate"],
    ["ator", "ate"],
    ["alism", "al"],
  ],
  ...[
    ["iveness", "ive"],
    ["fulness", "ful"],
    ["ousness", "ous"],
    ["aliti", "al"],
    ["iviti", "ive"],
    ["biliti", "ble"],
    ["fulli", "ful"],
  ],
].map(([suffix, replacement]): Rule => [suffix!, replacement!, positive]);

const third: readonly Rule[] = [
  ...[
    ["icate", "ic"],
    ["ative", ""],
    ["alize", "al"],
    ["iciti", "ic"],
    ["ical", "ic"],
    ["ful", ""],
    ["ness", ""],
  ],
].map(([suffix, replacement]): Rule => [suffix!, replacement!, positive]);

const fourth: readonly Rule[] = [
  ...["al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent"].map((suffix): Rule => [suffix, "", more]),
  ["ion", "", (stem) => more(stem) && "st".includes(stem.at(-1)!)],
  ...["ou", "ism", "ate", "iti", "ous", "ive", "ize"].map((suffix): Rule => [suffix, "", more]),
];

const adverb = (word: string): string => {
  if (word.endsWith("alli") && positive(word.slice(0, -4))) return adverb(word.slice(0, -2));
  return apply(word, [...second, ["logi", "log", () => positive(word.slice(0, -3))]]);
};

const final = (word: string): string => {
  if (!word.endsWith("e")) return word;
  const stem = word.slice(0, -1);
  return more(stem) || (measure(stem) === 1 && !endsCvc(stem)) ? stem : word;
};

const known = new Map<string, string>();

/** The stem of a lower-case word. */
export const stem = (word: string): string => {
  if (word.length <= 2) return word;
  const before = known.get(word);
  if (before !== undefined) return before;
  const compute = (): string => {
    if (Object.hasOwn(irregular, word)) return irregular[word]!;
    let text = past(plural(word));
    if (text.endsWith("y") && text.length > 2 && isConsonant(text, text.length - 2)) text = `${text.slice(0, -1)}i`;
    text = final(apply(apply(adverb(text), third), fourth));
    return text.endsWith("ll") && more(text.slice(0, -1)) ? text.slice(0, -1) : text;
  };
  const result = compute();
  if (known.size < 100_000) known.set(word, result);
  return result;
};
