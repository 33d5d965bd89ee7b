// What the command line asks of a file beyond its own blocks -> the file's items with that in them: adapters from folders, as if `load` stood
// there, and for whoever is to answer a block that generates. Nothing after this knows that they were not written. The one trick is that of
// points: the file's own items, with some replaced.

import { parse } from "../../grammar/parse.ts";
import type * as tree from "../../grammar/tree.ts";
import { needed, pruned, withArgument, withEntry } from "./point-items.ts";
import type { Resolved } from "./resolve.ts";
import { parameter } from "./settings.ts";

export interface Asked {
  /** Folders that adapters were saved in, by the names they get; relative ones start at the file's folder. */
  readonly adapters: readonly { readonly name: string; readonly folder: string }[];
  /** `evaluate`: the file's evaluations of these adapters, in place of its own. `answer`: prompts are answered, one at a time if `talk`. */
  readonly to: "evaluate" | "answer";
  /** Who answers, besides them; everybody who can where it is empty. */
  readonly subjects?: readonly string[];
  readonly max_new_tokens?: number;
  /** `context`: most tokens of a conversation that are read; else the usual, or what the base has. */
  readonly talk?: { readonly context?: number };
}

/** Tokens of a conversation that are read, where nobody says how many and the base has as many. */
export const usualContext = 2048;

/** Stands for the file where what the command line gave was written. */
const commandLine = "--adapter";

export const withAsked = (resolved: Resolved, asked: Asked): Resolved => {
  const text = asked.adapters.map(({ name, folder }) => `adapter ${name} = load(${JSON.stringify(folder)})`).join("\n");
  const given = parse(text, commandLine).file.items.filter((item): item is tree.Adapter => item.kind === "adapter");
  const names = new Set(given.map(({ name }) => name.text));
  // A folder's adapter stands in for one of the same name.
  const own = resolved.items.filter((item) => !(item.kind === "adapter" && names.has(item.name.text)));
  const untrained = own.filter((item) => !(item.kind === "train" && names.has(item.subject.text)));
  const items = [...untrained, ...given];
  return {
    ...resolved,
    items: asked.to === "evaluate" ? evaluating(items, given) : answering(items, given, asked),
    texts: given.length > 0 ? new Map([...resolved.texts, [commandLine, text]]) : resolved.texts,
  };
};

/** Every evaluation of the given adapters, and of the base where the block names it. */
const evaluating = (items: readonly tree.Item[], given: readonly tree.Adapter[]): readonly tree.Item[] => {
  const bases = new Set(items.flatMap((item) => (item.kind === "base" ? [item.name.text] : [])));
  const names = given.map(({ name }) => name);
  const rest = pruned(items, new Set(names.map(({ text }) => text)), "").filter(({ kind }) => kind !== "train");
  return [
    ...rest,
    ...items.flatMap((item): readonly tree.Item[] =>
      item.kind === "evaluate" ? [{ ...item, subjects: [...item.subjects.filter(({ text }) => bases.has(text)), ...names] }] : [],
    ),
  ];
};

const generates = (item: tree.Item): item is tree.Evaluate =>
  item.kind === "evaluate" && item.entries.some(({ key }) => key.text === "generate");

/** The file with a block that generates for each who is to answer: its own, else one like the file's first, else the likeliest 64 tokens. */
const answering = (items: readonly tree.Item[], given: readonly tree.Adapter[], asked: Asked): readonly tree.Item[] => {
  const base = items.find((item): item is tree.Base => item.kind === "base");
  const adapters = items.filter((item): item is tree.Adapter => item.kind === "adapter");
  const blocks = items.filter(generates);
  const wanted = [...(asked.subjects ?? []), ...given.map(({ name }) => name.text)];
  const everybody = [...(base ? [base.name] : []), ...adapters.filter((one) => !asked.talk || !isMix(one)).map(({ name }) => name)];
  // Whoever talks can be compared with the base.
  const subjects = everybody.filter(
    ({ text }) => wanted.includes(text) || (asked.talk && (text === base?.name.text || !asked.subjects?.length)),
  );
  const made = subjects.flatMap((subject): readonly tree.Evaluate[] => {
    const own = blocks.find((block) => block.subjects.some(({ text }) => text === subject.text));
    if (own && !asked.talk) return [];
    const like = own ?? blocks[0] ?? likeEvaluate(items);
    return like ? [{ ...like, subjects: [subject], entries: entriesOf(like, asked) }] : [];
  });
  const kept = asked.talk ? needs(items, subjects) : items;
  return [...kept, ...made].map((item) =>
    generates(item) && asked.max_new_tokens !== undefined ? { ...item, entries: withMost(item.entries, asked.max_new_tokens) } : item,
  );
};

/** What a conversation needs: who may speak, and the trainings that say where a run saved them. */
const needs = (items: readonly tree.Item[], subjects: readonly tree.Name[]): readonly tree.Item[] => {
  const kept = new Set(subjects.flatMap(({ text }) => [...needed(items, text)]));
  return pruned(items, kept, "");
};

const isMix = ({ injections: [only] }: tree.Adapter): boolean =>
  only?.method.kind === "call" && only.method.callee.kind === "ref" && only.method.callee.name === "mix";

/** A block on the data that the file reads, where it has none that generates. */
const likeEvaluate = (items: readonly tree.Item[]): tree.Evaluate | undefined => {
  const evaluate = items.find((item): item is tree.Evaluate => item.kind === "evaluate");
  if (evaluate) return evaluate;
  const train = items.find((item): item is tree.Train => item.kind === "train");
  if (!train) return undefined;
  const { at, on } = train;
  const segments = on.segments.length > 1 ? on.segments : [...on.segments, { kind: "name" as const, at: on.at, text: "train" }];
  return { kind: "evaluate", at, subjects: [], on: { ...on, segments }, entries: [] };
};

const entriesOf = ({ at, entries }: tree.Evaluate, { talk }: Asked): readonly tree.Entry[] => {
  const greedy: tree.Call = { kind: "call", at, callee: { kind: "ref", at, name: "greedy" }, args: [] };
  const kept = entries.filter(({ key }) => ["generate", "source_len", "sequence_len"].includes(key.text));
  const whole = kept.some(({ key }) => key.text === "generate") ? kept : withMost(withEntry(kept, "generate", greedy), 64);
  if (!talk) return whole;
  const one = withEntry(
    whole.filter(({ key }) => key.text !== "sequence_len"),
    "micro_batch_size",
    numeral(1, at),
  );
  return talk.context === undefined ? one : withEntry(one, "sequence_len", numeral(talk.context, at));
};

const withMost = (entries: readonly tree.Entry[], most: number): readonly tree.Entry[] =>
  entries.map((entry) =>
    entry.key.text === "generate" && entry.value.kind === "call"
      ? {
          ...entry,
          value: withArgument(entry.value, [parameter("max_new_tokens", "int")], "max_new_tokens", numeral(most, entry.value.at)),
        }
      : entry,
  );

const numeral = (value: number, at: tree.Span): tree.Expr => ({ kind: "number", at, text: String(value), value });
