// A Chevrotain parser that is ready at once: which way a choice goes follows from the next token and the sets of first-sets.ts. Stands in
// for `performSelfAnalysis`, and knows the four members of Chevrotain that it would have set.

import type { BaseParser, IOrAlt, IToken } from "chevrotain";
import { EarlyExitException, NoViableAltException } from "chevrotain";
import { vocabulary } from "./tokens.ts";

/** By rule, then by Chevrotain's number of the choice: of a repetition the tokens that begin it, of a choice those of each alternative. Tokens are places in the vocabulary. */
export type FirstSets = readonly Readonly<Record<string, readonly number[] | readonly (readonly number[])[]>>[];

type Look = (this: Internals, alternatives?: readonly IOrAlt<unknown>[]) => boolean | number | undefined;

interface Internals {
  selfAnalysisDone: boolean;
  lookAheadFuncsCache: Look[][];
  LA(ahead: number): IToken;
  LA_FAST(ahead: number): IToken;
  raiseNoAltException(occurrence: number, expected: string | undefined): never;
  raiseEarlyExitException(occurrence: number, kind: unknown, expected: string | undefined): never;
}

export const useFirstSets = (parser: BaseParser, sets: FirstSets): void => {
  const internals = parser as unknown as Internals;
  internals.selfAnalysisDone = true;
  internals.lookAheadFuncsCache = sets.map((rule) => {
    const looks: Look[] = [];
    for (const key in rule) looks[Number(key)] = lookOf(rule[key]!);
    return looks;
  });
  // Chevrotain would go through its analysis for what could have stood here; our rules say it themselves.
  internals.raiseNoAltException = (_, expected) => {
    throw new NoViableAltException(expected ?? "something else", internals.LA(1), internals.LA(0));
  };
  internals.raiseEarlyExitException = (_, __, expected) => {
    throw new EarlyExitException(expected ?? "something else", internals.LA(1), internals.LA(0));
  };
};

/** What `useFirstSets` takes, of an analysed parser whose strategy collected it. */
export const collected = (parser: BaseParser): FirstSets =>
  (parser as unknown as { lookAheadFuncsCache: object[] }).lookAheadFuncsCache.map((rule) => ({ ...rule }) as FirstSets[number]);

const lookOf = (sets: FirstSets[number][string]): Look => {
  let first: ReadonlySet<number> | undefined;
  let firsts: readonly ReadonlySet<number>[] | undefined;
  const alternatives = sets as readonly (readonly number[])[];
  if (typeof sets[0] === "number")
    return function () {
      first ??= indicesOf(sets as readonly number[]);
      return first.has(this.LA_FAST(1).tokenTypeIdx);
    };
  return function (given = []) {
    firsts ??= alternatives.map(indicesOf);
    const next = this.LA_FAST(1).tokenTypeIdx;
    for (let i = 0; i < firsts.length; i++) if (firsts[i]!.has(next) && given[i]?.GATE?.call(this) !== false) return i;
    return undefined;
  };
};

const indicesOf = (places: readonly number[]): ReadonlySet<number> => new Set(places.map((place) => vocabulary[place]!.tokenTypeIdx!));
