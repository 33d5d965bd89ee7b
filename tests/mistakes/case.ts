// A mistake as a file: a pipeline whose first comment lines say what must be found in it, where, and what mends it.
//
//   // row: P1 (peft#1959)              the catalogue's row and its threads; OWN for one of ours
//   // what: one of several targets is misspelled
//   // run: check --data                the command, when it is not `check`
//   // expect: PEFT0312 on `q_proj`     one line per diagnostic, all of them; the marked text. `expect: clean` for none
//   // says: did you mean `q`           stands in a message, a note or the help
//   // mend: --fix                      or `mend: FROM ==> TO` on the text; then nothing is found. `mend: none` when it is no text
//   // config: {"vocab_size": 100}      keys of the base's config.json, replaced or, with null, taken out
//   // file train.jsonl: {"slip": …}    a line of a file beside it, in place of the one every case has

export interface Expected {
  readonly code: string;
  readonly on: string | undefined;
}

export interface Case {
  readonly name: string;
  readonly text: string;
  readonly row: string;
  readonly what: string;
  readonly run: string;
  readonly expected: readonly Expected[];
  readonly says: readonly string[];
  readonly mend: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly files: ReadonlyMap<string, string>;
}

export const readCase = (name: string, text: string): Case => {
  const lines = [...text.matchAll(/^\/\/ (row|what|run|expect|says|mend|config|file \S+): (.*)$/gm)].map(([, key, value]) => ({
    key: key!,
    value: value!,
  }));
  const all = (key: string): readonly string[] => lines.filter((line) => line.key === key).map(({ value }) => value);
  const one = (key: string, fallback?: string): string => {
    const [value, ...more] = all(key);
    if (more.length > 0 || (value ?? fallback) === undefined) throw new Error(`${name}: one \`// ${key}:\` line`);
    return (value ?? fallback)!;
  };
  const expected = all("expect").flatMap((line): Expected[] => {
    if (line === "clean") return [];
    const match = /^(PEFT\d{4})(?: on `(.+)`)?$/.exec(line);
    if (!match) throw new Error(`${name}: \`// expect: ${line}\` is not read`);
    return [{ code: match[1]!, on: match[2] }];
  });
  if (all("expect").length === 0) throw new Error(`${name} expects nothing`);
  const files = new Map<string, string>();
  for (const { key, value } of lines) {
    if (!key.startsWith("file ")) continue;
    const file = key.slice("file ".length);
    files.set(file, `${files.get(file) ?? ""}${value === "(empty)" ? "" : `${value}\n`}`);
  }
  return {
    name,
    text,
    row: one("row"),
    what: one("what"),
    run: one("run", "check"),
    expected,
    says: all("says"),
    mend: one("mend", expected.length === 0 ? "none" : undefined),
    config: JSON.parse(one("config", "{}")) as Record<string, unknown>,
    files,
  };
};
