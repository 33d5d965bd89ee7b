// The names of scores -> what has to be said beside them, because the metric is less than its name promises; nothing for all others.

const notes: Readonly<Record<string, string>> = {
  meteor: "METEOR is exact + stem: the same words and stems match, synonyms and paraphrases do not, so it is lower than METEOR 1.5's",
};

/** One sentence without a full stop for each score that needs it, in the order of the names. */
export const metricNotes = (names: readonly string[]): readonly string[] => names.flatMap((name) => notes[name] ?? []);
