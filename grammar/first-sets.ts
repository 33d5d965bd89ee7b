// What every choice and repetition of the grammar may begin with. Chevrotain gets to know a grammar by running each rule once in a
// recording mode, which takes longer than reading a short file: so it is done here once, and the bundler keeps what this module
// exports in place of the module (build.ts). `parse` always reads by these sets; the tests read everything with Chevrotain's own
// lookahead too.

import {
  Alternation,
  type ILookaheadStrategy,
  type IProduction,
  NonTerminal,
  Option,
  Repetition,
  RepetitionMandatory,
  type Rule,
  Terminal,
  type TokenType,
} from "chevrotain";
import { PeftParser } from "./pipeline.ts";
import type { FirstSets } from "./stored-lookahead.ts";
import { vocabulary } from "./tokens.ts";

type First = ReadonlySet<number>;

const known = new Map<Rule, { first: First; empty: boolean }>();

const firstOfRule = (rule: Rule): { first: First; empty: boolean } => {
  let found = known.get(rule);
  if (!found) {
    found = firstOf(rule.definition);
    known.set(rule, found);
  }
  return found;
};

const firstOf = (sequence: readonly IProduction[]): { first: First; empty: boolean } => {
  const first = new Set<number>();
  for (const production of sequence) {
    const here = firstOfOne(production);
    for (const type of here.first) first.add(type);
    if (!here.empty) return { first, empty: false };
  }
  return { first, empty: true };
};

const firstOfOne = (production: IProduction): { first: First; empty: boolean } => {
  if (production instanceof Terminal) return { first: typesOf(production.terminalType), empty: false };
  if (production instanceof NonTerminal) return firstOfRule(production.referencedRule);
  const { definition } = production as { definition: IProduction[] } & IProduction;
  if (production instanceof Alternation) {
    const parts = definition.map(firstOfOne);
    return { first: new Set(parts.flatMap((part) => [...part.first])), empty: parts.some((part) => part.empty) };
  }
  const inside = firstOf(definition);
  return { first: inside.first, empty: inside.empty || production instanceof Option || production instanceof Repetition };
};

/** A token type and the types that belong to it, as a category; by their places in the vocabulary. */
const typesOf = (type: TokenType): First =>
  new Set([type.tokenTypeIdx!, ...(type.categoryMatches ?? [])].map((index) => vocabulary.findIndex((one) => one.tokenTypeIdx === index)));

const find = <P extends IProduction & { idx: number; definition: IProduction[] }>(
  within: IProduction & { definition: IProduction[] },
  kind: new (...args: never[]) => P,
  occurrence: number,
): P => {
  const found = search(within, kind, occurrence);
  if (!found) throw new Error(`no ${kind.name} ${occurrence} in the rule`);
  return found;
};

const search = <P extends IProduction & { idx: number }>(
  within: IProduction & { definition: IProduction[] },
  kind: new (...args: never[]) => P,
  occurrence: number,
): P | undefined => {
  for (const production of within.definition) {
    if (production instanceof kind && production.idx === occurrence) return production;
    const inner =
      production instanceof Terminal || production instanceof NonTerminal ? undefined : search(production as never, kind, occurrence);
    if (inner) return inner as P;
  }
  return undefined;
};

const classes = { Option, Repetition, RepetitionMandatory };

/** Hands Chevrotain lists instead of functions; it keeps them where the functions would be. */
const collecting = {
  validate: () => [],
  buildLookaheadForAlternation: ({ rule, prodOccurrence }: { rule: Rule; prodOccurrence: number }) =>
    find(rule, Alternation, prodOccurrence).definition.map((alternative) => [...firstOfOne(alternative).first]),
  buildLookaheadForOptional: ({ rule, prodOccurrence, prodType }: { rule: Rule; prodOccurrence: number; prodType: string }) => [
    ...firstOf(find(rule, classes[prodType as keyof typeof classes], prodOccurrence).definition).first,
  ],
} as unknown as ILookaheadStrategy;

export const firstSets: FirstSets = new PeftParser(undefined, { skipValidations: true, lookaheadStrategy: collecting }).lookaheads();
