// A path pattern against the module tree -> what it covers. Patterns select by role (`layers.*.attn.{q, v}`) or by the
// checkpoint's own names (`"model.layers.*.self_attn.q_proj"`). Each alternative in braces must match on its own.

import type * as tree from "../../grammar/tree.ts";
import type { Span } from "../../grammar/tree.ts";
import { type Instance, modulesOf, type ParamSpec } from "./instantiate.ts";

export type Target =
  | { readonly kind: "module"; readonly module: Instance }
  | { readonly kind: "param"; readonly param: ParamSpec; readonly module: Instance };

type Place = Instance | readonly Instance[] | ParamSpec;

/** A pattern without braces. `at` is the part of the source that stands for this alternative. */
export interface Pattern {
  readonly segments: readonly tree.PathSegment[];
  readonly text: string;
  readonly at: Span;
  /** True when the last segment names something, so what it matches must fit. */
  readonly exact: boolean;
}

const print = (segment: tree.PathSegment): string => {
  switch (segment.kind) {
    case "name":
      return segment.text;
    case "index":
      return segment.to === undefined ? `${segment.from}` : `${segment.from}..${segment.to}`;
    case "star":
      return "*";
    case "deep":
      return "**";
    case "choice":
      return `{${segment.options.map((option) => option.text).join(", ")}}`;
    case "checkpoint":
      return `"${segment.pattern}"`;
  }
};

/** The alternatives of a path, after its first segment (the base's name). */
export const alternatives = (path: tree.Path): Pattern[] => {
  let patterns: { segments: tree.PathSegment[]; at: Span }[] = [{ segments: [], at: path.at }];
  for (const segment of path.segments.slice(1))
    patterns = patterns.flatMap(({ segments, at }) =>
      segment.kind === "choice"
        ? segment.options.map((option) => ({
            segments: [...segments, { kind: "name" as const, text: option.text, at: option.at }],
            at: option.at,
          }))
        : [{ segments: [...segments, segment], at }],
    );
  return patterns.map(({ segments, at }) => ({
    segments,
    at,
    text: [path.segments[0], ...segments].map((segment) => print(segment!)).join("."),
    exact: ["name", "index", "checkpoint"].includes(segments.at(-1)?.kind ?? "deep"),
  }));
};

const isParam = (place: Place): place is ParamSpec => "tensor" in place;
const isRepeat = (place: Place): place is readonly Instance[] => Array.isArray(place);

const childrenOf = (place: Place): [string, Place, Instance | undefined][] => {
  if (isParam(place)) return [];
  if (isRepeat(place)) return place.map((instance, i) => [String(i), instance, undefined]);
  return [
    ...[...place.children].map(([name, child]): [string, Place, undefined] => [name, child, undefined]),
    ...[...place.params].flatMap(([name, param]): [string, Place, Instance][] => (param ? [[name, param, place]] : [])),
  ];
};

interface Found {
  readonly place: Place;
  /** The module that holds a parameter. */
  readonly holder: Instance | undefined;
}

const step = (found: readonly Found[], segment: tree.PathSegment): Found[] => {
  switch (segment.kind) {
    case "star":
      return found.flatMap(({ place }) => childrenOf(place).map(([, child, holder]) => ({ place: child, holder })));
    case "deep": {
      const all = new Set<Found>();
      const walk = (item: Found): void => {
        all.add(item);
        for (const [, child, holder] of childrenOf(item.place)) walk({ place: child, holder });
      };
      for (const item of found) walk(item);
      return [...all];
    }
    case "index":
      return found.flatMap(({ place }) =>
        isRepeat(place)
          ? place
              .filter((_, i) => i >= segment.from && i <= (segment.to ?? segment.from))
              .map((instance) => ({ place: instance, holder: undefined }))
          : [],
      );
    case "name":
      return found.flatMap(({ place }) =>
        childrenOf(place)
          .filter(([name]) => name === segment.text)
          .map(([, child, holder]) => ({ place: child, holder })),
      );
    default:
      return [];
  }
};

const byCheckpoint = (root: Instance, pattern: string): Target[] => {
  const source = pattern
    .split(/(\*\*|\*)/)
    .map((part) => (part === "**" ? ".*" : part === "*" ? "[^.]*" : part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&")))
    .join("");
  const regex = new RegExp(`^${source}$`);
  const targets: Target[] = [];
  for (const module of modulesOf(root)) {
    if (module.checkpoint !== "" && regex.test(module.checkpoint)) targets.push({ kind: "module", module });
    for (const param of module.params.values()) if (param && regex.test(param.tensor)) targets.push({ kind: "param", param, module });
  }
  return targets;
};

/** Everything the pattern covers: modules and parameters, each once, in model order. */
export const match = (root: Instance, pattern: Pattern): Target[] => {
  const checkpoint = pattern.segments.find((segment) => segment.kind === "checkpoint");
  if (checkpoint?.kind === "checkpoint") return byCheckpoint(root, checkpoint.pattern);
  let found: Found[] = [{ place: root, holder: undefined }];
  for (const segment of pattern.segments) found = step(found, segment);
  const seen = new Set<Place>();
  return found.flatMap(({ place, holder }): Target[] => {
    if (seen.has(place)) return [];
    seen.add(place);
    if (isRepeat(place)) return [];
    return isParam(place) ? [{ kind: "param", param: place, module: holder! }] : [{ kind: "module", module: place }];
  });
};

/** Where a pattern that matches nothing stops matching, and what is there instead. */
export const whereItStops = (
  root: Instance,
  pattern: Pattern,
): { readonly at: Span; readonly wanted: string; readonly reached: string; readonly has: readonly string[] } => {
  let found: Found[] = [{ place: root, holder: undefined }];
  for (const [i, segment] of pattern.segments.entries()) {
    const next = step(found, segment);
    if (next.length === 0) {
      const reached =
        pattern.text.split(".")[0]! +
        pattern.segments
          .slice(0, i)
          .map((s) => `.${print(s)}`)
          .join("");
      const has = [...new Set(found.flatMap(({ place }) => childrenOf(place).map(([name]) => name)))];
      return { at: segment.at, wanted: print(segment), reached, has };
    }
    found = next;
  }
  return { at: pattern.at, wanted: pattern.text, reached: pattern.text, has: [] };
};
