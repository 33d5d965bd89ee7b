// `require` blocks against what is known -> diagnostics, and the bounds on scores, which a run holds. Each constraint names a fact of the
// table or a score; a fact that needs more than this compilation has (the data's tokens) is said to be unchecked, never passed over.

import type * as tree from "../../grammar/tree.ts";
import { compares } from "../../spec/compares.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { ScoreBound } from "../../spec/score-bounds.ts";
import type { TrainPlan } from "../blocks/pipeline.ts";
import { type Context, evaluate } from "../values/expressions.ts";
import type { Scope, Value } from "../values/values.ts";
import { type Fact, type FactSources, factTable, type Needs, type Subject, scoreFact } from "./fact-table.ts";

/** Bytes of each unit. */
export const bytes: Readonly<Record<string, number>> = {
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** How far a compilation may come. */
type Reach = Exclude<Needs, "data" | "run">;

export interface RequireContext extends Context {
  readonly scope: Scope;
  /** Names the file gives adapters and bases; one that could not be planned was reported. */
  readonly declared: ReadonlySet<string>;
  /** How far this compilation came. */
  readonly reached: Reach;
}

/** Facts that grow with an adapter's sizes: while these are open, an upper bound is known. */
const sized: ReadonlySet<string> = new Set(["trainable", "modules", "file", "memory", "flops"]);

const subjectOf = ({ verb, subject }: tree.Constraint, share: boolean): Subject => ({ verb: verb?.text, name: subject.text, share });

/** How far a compilation must come before these constraints can be checked, data aside. */
export const requireNeeds = (items: readonly tree.Require[], trains: readonly TrainPlan[]): Reach => {
  const needs = new Set(
    items.flatMap(({ constraints }) =>
      constraints.map((constraint) => factTable[constraint.fact.text]?.needs(subjectOf(constraint, false), trains)),
    ),
  );
  return needs.has("kernels") ? "kernels" : needs.has("plan") ? "plan" : "check";
};

/** Blocks whose rows must be tokenized before every constraint can be checked, like `train menu`. */
export const requireRows = (items: readonly tree.Require[], trains: readonly TrainPlan[]): ReadonlySet<string> =>
  new Set(
    items.flatMap(({ constraints }) =>
      constraints.flatMap((constraint) => {
        const subject = subjectOf(constraint, false);
        return factTable[constraint.fact.text]?.needs(subject, trains) === "data" ? [`${subject.verb} ${subject.name}`] : [];
      }),
    ),
  );

/** Gives what only a run can hold. */
export const checkRequire = (item: tree.Require, sources: FactSources, context: RequireContext): readonly ScoreBound[] =>
  item.constraints.flatMap((constraint) => checkConstraint(constraint, sources, context) ?? []);

const checkConstraint = (constraint: tree.Constraint, sources: FactSources, context: RequireContext): ScoreBound | undefined => {
  const { report, scope } = context;
  const fact = findFact(constraint, sources, context);
  if (!fact || !subjectFits(constraint, fact, sources, context)) return undefined;
  const bound = evaluate(constraint.bound, scope, context);
  const limit = limitOf(bound, fact);
  if (limit === undefined) {
    if (bound.kind !== "unknown")
      report(
        diagnostics.bad_bound(
          constraint.bound.at,
          { fact: constraint.fact.text, found: bound.kind === "number" ? written(bound) : bound.kind },
          { help: boundHelp(fact) },
        ),
      );
    return undefined;
  }
  const unit = bound.kind === "number" ? (bound.unit ?? "") : "";
  const subject = subjectOf(constraint, unit === "%");
  const needs = fact.needs(subject, sources.trains);
  const name = factText(constraint);
  if (needs === "run") {
    const score = constraint.fact.text;
    if (sources.evaluated.get(subject.name)?.has(score))
      return { fact: name, score, subject: subject.name, compare: constraint.compare, bound: limit, at: constraint.at };
    report(
      diagnostics.score_not_measured(
        constraint.at,
        { score, subject: subject.name },
        { help: `add a metric that gives it to \`metrics\` of \`evaluate ${subject.name}\`` },
      ),
    );
    return undefined;
  }
  const rank: readonly Needs[] = ["check", "plan", "kernels"];
  if (needs !== "data" && rank.indexOf(needs) > rank.indexOf(context.reached)) return undefined; // an error came before; it is reported
  const value = fact.value(subject, sources);
  if (value === undefined) {
    report(
      needs === "data" && hasBlock(subject, sources)
        ? diagnostics.require_unchecked(
            constraint.at,
            { fact: name },
            { help: "`peft check --data` reads the data; `peft plan --lock` writes down what it needs, for machines without it" },
          )
        : diagnostics.require_no_block(
            constraint.subject.at,
            { fact: name },
            { help: `add one, or remove the line: the file holds no \`${subject.verb}\` block for \`${subject.name}\`` },
          ),
    );
    return undefined;
  }
  const adapter = sources.adapters.get(subject.name);
  const open = adapter?.measured?.filter(({ known }) => !known) ?? [];
  const atMost = constraint.compare === "<" || constraint.compare === "<=";
  const holds = compares(value, constraint.compare, limit);
  if (open.length > 0 && sized.has(constraint.fact.text) && !(atMost && holds)) {
    report(
      diagnostics.not_measured(
        constraint.at,
        { sizes: [...new Set(open.flatMap(({ names }) => names))].join(", "), adapter: subject.name },
        { label: `not checked: at most ${shown(value, unit)}`, help: "measure it: `peft measure FILE`" },
      ),
    );
    return undefined;
  }
  if (holds) return undefined;
  report(
    diagnostics.require_failed(
      constraint.at,
      {
        fact: name,
        found: shown(value, unit),
        compare: constraint.compare,
        bound: constraint.bound.kind === "number" ? `${constraint.bound.text}${unit === "%" ? "%" : unit && ` ${unit}`}` : written(bound),
      },
      {
        notes: adapter
          ? [{ message: `${adapter.name} trains ${adapter.trainable} of ${sources.base.parameters} parameters`, at: adapter.at }]
          : [],
        help: fact.help,
      },
    ),
  );
  return undefined;
};

const findFact = ({ fact }: tree.Constraint, { scores }: FactSources, { report }: RequireContext): Fact | undefined => {
  const found = Object.hasOwn(factTable, fact.text) ? factTable[fact.text] : undefined;
  if (found) return found;
  if (scores.has(fact.text)) return scoreFact;
  const names = [...Object.keys(factTable), ...scores];
  const near = nearest(fact.text, names);
  report(
    diagnostics.unknown_fact(
      fact.at,
      { name: fact.text },
      {
        notes: [{ message: `facts: ${names.join(", ")}` }],
        ...(near && { help: `did you mean \`${near}\`?`, fixes: [{ at: fact.at, insert: near, title: `change to \`${near}\`` }] }),
      },
    ),
  );
  return undefined;
};

const subjectFits = (constraint: tree.Constraint, fact: Fact, sources: FactSources, { report, declared }: RequireContext): boolean => {
  const { verb, subject } = constraint;
  const wrongVerb = !fact.verbs.includes(verb?.text ?? "");
  if (wrongVerb) {
    const forms = fact.verbs.map((word) => `\`${constraint.fact.text}(${word ? `${word} ` : ""}${subject.text})\``);
    const at = verb ? { ...verb.at, end: subject.at.start } : subject.at;
    const insert = fact.verbs[0] ? `${fact.verbs[0]} ` : "";
    report(
      diagnostics.require_verb(
        verb?.at ?? subject.at,
        { fact: constraint.fact.text, form: forms.join(" or ") },
        {
          label: verb ? "not asked of this" : "of what?",
          help: `write ${forms[0]}`,
          fixes: [{ at: verb ? at : { ...at, end: at.start }, insert, title: `write ${forms[0]}` }],
        },
      ),
    );
  }
  const known = [...sources.adapters.keys(), ...(fact.ofBase ? [sources.base.name] : [])];
  if (known.includes(subject.text)) return !wrongVerb;
  if (declared.has(subject.text) && subject.text !== sources.base.name) return false;
  const near = nearest(subject.text, known);
  report(
    diagnostics.unknown_adapter(
      subject.at,
      { name: subject.text },
      {
        notes: known.length ? [{ message: `${fact.ofBase ? "adapters and bases" : "adapters"} here: ${known.join(", ")}` }] : [],
        ...(near && { help: `did you mean \`${near}\`?`, fixes: [{ at: subject.at, insert: near, title: `change to \`${near}\`` }] }),
      },
    ),
  );
  return false;
};

const hasBlock = ({ verb, name }: Subject, { trains, evaluated }: FactSources): boolean =>
  verb === "train" ? trains.some(({ adapter }) => adapter === name) : evaluated.has(name);

/** The bound as a plain number; undefined when its unit is none that the fact is measured in. */
const limitOf = (bound: Value, { measures }: Fact): number | undefined => {
  if (bound.kind !== "number") return undefined;
  const { value, unit } = bound;
  if (unit === undefined) return measures.includes("count") || measures.includes("bytes") ? value : undefined;
  if (unit === "%") return measures.includes("share") ? value / 100 : undefined;
  if (measures.includes("bytes") && bytes[unit]) return value * bytes[unit];
  return measures.includes("count") && /^(steps?|rows?|tokens?)$/.test(unit) ? value : undefined;
};

const boundHelp = ({ measures }: Fact): string => {
  const forms = { count: "a plain number", bytes: "a size, like `2 GiB` or `10 MB`", share: "a share, like `1%`" };
  return `write ${measures.map((measure) => forms[measure]).join(" or ")}`;
};

const written = (bound: Value): string => (bound.kind === "number" ? `${bound.value}${bound.unit ? ` ${bound.unit}` : ""}` : bound.kind);

const factText = ({ fact, verb, subject }: tree.Constraint): string => `${fact.text}(${verb ? `${verb.text} ` : ""}${subject.text})`;

const shown = (value: number, unit: string): string => {
  if (unit === "%") return `${(100 * value).toPrecision(3)}%`;
  return bytes[unit] ? `${(value / bytes[unit]).toPrecision(4)} ${unit}` : String(value);
};
