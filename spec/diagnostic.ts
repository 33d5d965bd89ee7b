// What every mistake becomes. Creators are generated from the pages in spec/diagnostics (see `npm run generate`).

import type { Span } from "../grammar/tree.ts";

export interface Fix {
  readonly at: Span;
  readonly insert: string;
  readonly title: string;
}

export interface About {
  /** A block by its verb and name: `data orders`, `train menu`, `base tiny`. */
  readonly block?: string;
  /** A setting or a split of it. */
  readonly part?: string;
  /** A column that a template of it names. */
  readonly column?: string;
  /** The column that was meant, where one is near. */
  readonly instead?: string;
}

export interface Diagnostic {
  /** PEFT0312: stable, never reused. `peft explain` prints its page. */
  readonly code: string;
  readonly severity: "error" | "warning";
  readonly message: string;
  /** Absent only when no file is to blame (wrong usage, a lost device). */
  readonly at?: Span;
  /** What of the pipeline is to blame, where the reporter has no source: who has it turns this into `at`. */
  readonly about?: About;
  /** Stands under the marked text. */
  readonly label?: string;
  /** Further places or facts: `tiny.layers.*.attn has: q, k, v, out`. */
  readonly notes: readonly { readonly message: string; readonly at?: Span }[];
  /** One concrete next step. */
  readonly help?: string;
  readonly fixes: readonly Fix[];
}

/** What a caller adds beside the page's own text. */
export interface Details {
  readonly about?: About;
  readonly label?: string;
  readonly notes?: readonly { readonly message: string; readonly at?: Span }[];
  readonly help?: string;
  readonly fixes?: readonly Fix[];
}

/** The name in `known` nearest to `name`, if it is near enough to be a slip (edit distance with transpositions, at most a third of the length). */
export const nearest = (name: string, known: Iterable<string>): string | undefined => {
  let best: string | undefined;
  let prefix: string | undefined; // `q` for q_proj
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = candidate.toLowerCase() === name.toLowerCase() ? 0 : editDistance(name, candidate);
    if (distance < least) [best, least] = [candidate, distance];
    prefix ??= name.startsWith(`${candidate}_`) ? candidate : undefined;
  }
  return best ?? prefix;
};

/** The help and the fix for a name that was mistyped at `at`, when there is one near. */
export const instead = (at: Span, near: string | undefined): { readonly help?: string; readonly fixes?: readonly Fix[] } =>
  near === undefined ? {} : { help: `did you mean \`${near}\`?`, fixes: [{ at, insert: near, title: `change to \`${near}\`` }] };

const editDistance = (a: string, b: string): number => {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...new Array<number>(b.length).fill(0)]);
  for (let j = 1; j <= b.length; j++) rows[0]![j] = j;
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      rows[i]![j] = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) rows[i]![j] = Math.min(rows[i]![j]!, rows[i - 2]![j - 2]! + 1);
    }
  return rows[a.length]![b.length]!;
};
