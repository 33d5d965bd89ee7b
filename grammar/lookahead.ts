// Which way a choice goes, from the next token alone. Chevrotain's own LL(k) builder works out every choice of the grammar at
// start-up, which is most of what a short file costs; this one computes first sets when a choice is first met, and once per rule.
// The tests parse everything with both.

import {
  Alternation,
  type BaseParser,
  type ILookaheadStrategy,
  type IOrAlt,
  type IProduction,
  NonTerminal,
  Option,
  Repetition,
  RepetitionMandatory,
  type Rule,
  Terminal,
  type TokenType,
} from "chevrotain";

type First = ReadonlySet<number>;
/** What Chevrotain hands a lookahead function as `this`. */
type Looking = BaseParser & { LA_FAST(howMuch: number): { tokenTypeIdx: number } };

const classes = { Option, Repetition, RepetitionMandatory };

export const lazyLookahead = (): ILookaheadStrategy => {
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

  return {
    validate: () => [],
    buildLookaheadForAlternation({ rule, prodOccurrence }) {
      let firsts: First[] | undefined;
      const choose = function (this: BaseParser, alternatives: IOrAlt<unknown>[] = []): number | undefined {
        firsts ??= find(rule, Alternation, prodOccurrence).definition.map((alternative) => firstOfOne(alternative).first);
        const next = (this as Looking).LA_FAST(1).tokenTypeIdx;
        for (let i = 0; i < firsts.length; i++) if (firsts[i]!.has(next) && alternatives[i]?.GATE?.call(this) !== false) return i;
        return undefined;
      };
      return choose as ReturnType<ILookaheadStrategy["buildLookaheadForAlternation"]>;
    },
    buildLookaheadForOptional({ rule, prodOccurrence, prodType }) {
      let first: First | undefined;
      const enters = function (this: BaseParser): boolean {
        first ??= firstOf(find(rule, classes[prodType as keyof typeof classes], prodOccurrence).definition).first;
        return first.has((this as Looking).LA_FAST(1).tokenTypeIdx);
      };
      return enters as ReturnType<ILookaheadStrategy["buildLookaheadForOptional"]>;
    },
  };
};

/** A token type and the types that belong to it, as a category. */
const typesOf = (type: TokenType): First => new Set([type.tokenTypeIdx!, ...(type.categoryMatches ?? [])]);

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
