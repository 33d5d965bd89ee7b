// Counts of n-grams of words or characters. An n-gram is its words joined by a character that no tokenizer leaves in a word.

export type Counts = ReadonlyMap<string, number>;

const joint = "\u0001";

/** Counts of every n-gram with exactly `n` words. */
export const ngrams = (words: readonly string[], n: number): Map<string, number> => {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= words.length; i++) {
    let gram = words[i]!;
    for (let k = 1; k < n; k++) gram += joint + words[i + k]!;
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
};

/** For n = 1 … most, at index n − 1. */
export const ngramsUpTo = (words: readonly string[], most: number): Map<string, number>[] =>
  Array.from({ length: most }, (_, i) => ngrams(words, i + 1));

/** An n-gram without its last word; "" for a single word. */
export const prefixOf = (gram: string): string => gram.slice(0, Math.max(0, gram.lastIndexOf(joint)));

/** Of each n-gram the most times it occurs in any one of several texts. */
export const mostOf = (several: readonly Counts[]): Map<string, number> => {
  const most = new Map<string, number>();
  for (const counts of several) for (const [gram, count] of counts) if (count > (most.get(gram) ?? 0)) most.set(gram, count);
  return most;
};

/** How many n-grams of `a` are also in `b`, each at most as often as there. */
export const matches = (a: Counts, b: Counts): number => {
  let total = 0;
  for (const [gram, count] of a) total += Math.min(count, b.get(gram) ?? 0);
  return total;
};

export const total = (counts: Counts): number => {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
};
