// A subject's name -> what it switches on, in order: adapters by themselves, weighted sums of adapters, banks of adapters of
// which every row of a batch takes its own. Elaboration goes through the layers and rebinds values one after the other.

import type { AdapterPlan } from "./inject.ts";

export type Layer =
  | { readonly kind: "one"; readonly adapter: string }
  /** What each term changes, times its weight, added up. */
  | { readonly kind: "sum"; readonly terms: readonly Term[] }
  /** The adapter's parameters have one more axis in front, and each row of the batch takes its own place of it. */
  | { readonly kind: "rows"; readonly adapter: string };

export interface Term {
  readonly layers: readonly Layer[];
  readonly weight: number;
}

/** What is switched on while something is computed. */
export interface Choice {
  readonly layers: readonly Layer[];
  /** Training keeps the gates of branches (dropout); everything else takes them as the identity. */
  readonly training: boolean;
  /** Several examples share a row, and none may see another's tokens. */
  readonly packed?: boolean;
  /** The one adapter that is trained, where others stand beneath it; absent: all of them are. */
  readonly trains?: string;
  /** The adapter whose methods observe this forward pass; it is itself off. */
  readonly observes?: string;
}

/** One adapter, or none, by itself. */
export const alone = (adapters: readonly string[], training: boolean): Choice => ({
  layers: adapters.map((adapter) => ({ kind: "one", adapter })),
  training,
});

/** The layers of a base (none), an adapter with what it stands on, or what is made of adapters. */
export const layersOf = (subject: string, adapters: ReadonlyMap<string, AdapterPlan>): readonly Layer[] => {
  const plan = adapters.get(subject);
  if (!plan) return [];
  const { made, under } = plan;
  const below = under === undefined ? [] : layersOf(under, adapters);
  const own: readonly Layer[] =
    made?.kind === "stack"
      ? made.of.flatMap((name) => layersOf(name, adapters))
      : made?.kind === "sum"
        ? [{ kind: "sum", terms: made.terms.map(({ adapter, weight }) => ({ layers: layersOf(adapter, adapters), weight })) }]
        : [{ kind: made?.kind === "mix" ? "rows" : "one", adapter: subject }];
  const seen = new Set<string>();
  return [...below, ...own].filter((layer) => {
    const key = JSON.stringify(layer);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
};

/** Adapters that take part, each once, in order. */
export const adaptersIn = (layers: readonly Layer[]): readonly string[] => [
  ...new Set(
    layers.flatMap((layer): readonly string[] =>
      layer.kind === "sum" ? layer.terms.flatMap((term) => adaptersIn(term.layers)) : [layer.adapter],
    ),
  ),
];
