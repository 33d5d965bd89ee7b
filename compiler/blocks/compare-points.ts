// A `compare` block -> its points: the base by itself, then every candidate once per seed. All are evaluated by every `evaluate` block
// of the file, so that a block on other data than the comparison's shows what was forgotten. A candidate is an adapter of the file,
// trained as its own `train` block says; or a method with its places, trained as the first `train` block on the same data says. What a
// candidate stores otherwise is so in its own points alone.

import type * as tree from "../../grammar/tree.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Context } from "../values/expressions.ts";
import { besideKey } from "./figures.ts";
import { folderOf, needed, pruned, textOf, withEntry } from "./point-items.ts";
import type { Point, PointSet } from "./points.ts";
import type { Resolved } from "./resolve.ts";

/** A key of the block that is no candidate: one training per seed. */
export const seedsKey = "seeds";

export const comparePoints = (item: tree.Compare, resolved: Resolved, { report }: Context): PointSet | undefined => {
  const { items, texts } = resolved;
  const evaluates = items.filter((one): one is tree.Evaluate => one.kind === "evaluate");
  const base = items.find((one): one is tree.Base => one.kind === "base");
  const data = firstName(item.on);
  if (!items.some((one) => one.kind === "data" && one.name.text === data)) {
    const names = items.flatMap((one) => (one.kind === "data" ? [one.name.text] : []));
    const near = nearest(data, names);
    report(
      diagnostics.unknown_data(
        item.on.at,
        { name: data },
        { notes: [{ message: `data here: ${names.join(", ") || "none"}` }], ...(near && { help: `did you mean \`${near}\`?` }) },
      ),
    );
    return undefined;
  }
  if (!base) return undefined;
  if (evaluates.length === 0) {
    report(
      diagnostics.compare_unmeasured(
        item.at,
        { name: item.name.text },
        { help: `add \`evaluate ${base.name.text} on ${data}.eval { … }\`; every candidate is evaluated as it says` },
      ),
    );
    return undefined;
  }
  const seeds = item.entries.find(({ key }) => key.text === seedsKey)?.value;
  const seedValues: readonly (tree.Expr | undefined)[] = seeds ? (seeds.kind === "list" ? seeds.items : [seeds]) : [undefined];
  const candidates = item.entries.filter(({ key }) => key.text !== seedsKey && key.text !== besideKey);
  if (candidates.length === 0 || seedValues.length === 0)
    report(diagnostics.no_points(item.at, { name: item.name.text }, { help: "name candidates, like `full: tune() into tiny.**`" }));
  // The base is there beside the candidate, for what it costs with the candidate merged into it.
  const evaluated = (all: readonly tree.Item[], subject: tree.Name): readonly tree.Item[] => [
    ...all.filter(({ kind }) => kind !== "evaluate"),
    ...evaluates.map((one) => ({ ...one, subjects: subject.text === base.name.text ? [subject] : [subject, base.name] })),
  ];
  const plain: Point = {
    id: folderOf({ method: base.name.text }),
    values: { method: base.name.text },
    subject: base.name.text,
    inputs: [],
    items: evaluated(pruned(items, new Set(), base.name.text), base.name),
  };
  const points: Point[] = [plain];
  for (const candidate of candidates) {
    const made = adapterOf(candidate, resolved, data, report);
    if (!made) continue;
    for (const seed of seedValues) {
      const values = { method: candidate.key.text, ...(seed && { seed: textOf(seed, texts) }) };
      const trained = made.items.map((one) => {
        if (seed && one.kind === "train") return { ...one, entries: withEntry(one.entries, "seed", seed) };
        return candidate.store && one.kind === "base" ? { ...one, store: [...one.store, ...candidate.store] } : one;
      });
      points.push({ id: folderOf(values), values, subject: made.name.text, inputs: [], items: evaluated(trained, made.name) });
    }
  }
  return { kind: "compare", name: item.name.text, of: data, points };
};

const firstName = (path: tree.Path): string => (path.segments[0]?.kind === "name" ? path.segments[0].text : "");

/** The items with the candidate as an adapter that is trained. */
const adapterOf = (
  candidate: tree.Candidate,
  { items, library }: Resolved,
  data: string,
  report: Context["report"],
): { readonly name: tree.Name; readonly items: readonly tree.Item[] } | undefined => {
  const { value, into, key } = candidate;
  const adapters = items.filter((one): one is tree.Adapter => one.kind === "adapter");
  if (value.kind === "ref" && !into) {
    const found = adapters.find(({ name }) => name.text === value.name);
    if (!found) {
      const names = adapters.map(({ name }) => name.text);
      const near = nearest(value.name, names);
      const isMethod = library.names("method").includes(value.name);
      report(
        diagnostics.unknown_adapter(
          value.at,
          { name: value.name },
          {
            notes: [{ message: `adapters here: ${names.join(", ") || "none"}` }],
            ...(isMethod
              ? { help: `\`${value.name}\` is a method: write \`${key.text}: ${value.name}() into …\`` }
              : near && { help: `did you mean \`${near}\`?` }),
          },
        ),
      );
      return undefined;
    }
    const kept = needed(items, found.name.text);
    const own = pruned(items, kept, found.name.text);
    return trainedAs(found.name, own, items, data, value.at, report);
  }
  if (value.kind !== "call" || !into?.length) {
    report(
      diagnostics.compare_candidate(
        value.at,
        { name: key.text },
        { help: `write an adapter's name, or a method with its places: \`${key.text}: tune() into tiny.**\`` },
      ),
    );
    return undefined;
  }
  const adapter: tree.Adapter = {
    kind: "adapter",
    at: candidate.at,
    name: key,
    injections: [{ at: candidate.at, method: value, into }],
    block: false,
  };
  const others = items.filter((one) => !(one.kind === "adapter" && one.name.text === key.text));
  const own = [...pruned(others, new Set(), key.text), adapter];
  return trainedAs(key, own, items, data, value.at, report);
};

/** With a `train` block: its own, else that of another adapter on the same data. */
const trainedAs = (
  name: tree.Name,
  own: readonly tree.Item[],
  items: readonly tree.Item[],
  data: string,
  at: tree.Span,
  report: Context["report"],
): { readonly name: tree.Name; readonly items: readonly tree.Item[] } | undefined => {
  if (own.some((one) => one.kind === "train" && one.subject.text === name.text)) return { name, items: own };
  const like = items.find((one): one is tree.Train => one.kind === "train" && firstName(one.on) === data);
  if (!like) {
    report(
      diagnostics.point_untrained(
        at,
        { name: name.text },
        { help: `add \`train … on ${data} { … }\`; candidates without a block of their own are trained as it says` },
      ),
    );
    return undefined;
  }
  return { name, items: [...own, { ...like, subject: name }] };
};
