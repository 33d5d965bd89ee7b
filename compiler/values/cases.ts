// A definition by itself -> every case of it: what its settings and sizes do not decide is tried both ways. Conditions are symbols
// ("0<in-r"), so two of one meaning are one question. A case is a list of answers; after each run the last one that was yes becomes no,
// until there is none. Where an equality was taken to hold, its symbol is replaced in the run that follows, so that shapes agree.
// (Symbolic execution by replay: King 1976; no state is kept but the answers.)

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { type Dim, multiply, subtract, symbolsOf } from "./dims.ts";
import { dimOf, size, type Value } from "./values.ts";

/** Something that is not known yet. */
export interface Question {
  /** The same for two questions of one meaning. */
  readonly key: string;
  /** The question whose yes makes this one a no. */
  readonly excludes?: string;
  /** What a yes says of a setting or a size. */
  readonly equates?: { readonly name: string; readonly value: Value };
}

/** How a definition that is checked by itself asks. */
export interface Cases {
  readonly holds: (question: Question, as: string) => boolean;
  /** This case does not occur: the definition rules it out. */
  readonly ruleOut: () => void;
}

interface Answer {
  readonly question: Question;
  /** As the author wrote it. */
  readonly as: string;
  readonly yes: boolean;
}

/** Enough for six settings in any combination; what lies beyond is checked where the definition is used. */
const mostCases = 64;

/** Runs a check once per case; what is found in some cases only says in which. A definition that rules out every case keeps the first's. */
export const inEveryCase = (
  run: (cases: Cases, known: ReadonlyMap<string, Value>, report: (diagnostic: Diagnostic) => void) => void,
  report: (diagnostic: Diagnostic) => void,
): void => {
  const seen = new Set<string>();
  let [answers, first]: [readonly Answer[], readonly Diagnostic[] | undefined] = [[], undefined];
  let occurred = false;
  for (let count = 0; count < mostCases; count++) {
    const found: Diagnostic[] = [];
    let [again, out] = [false, false];
    const holds: Cases["holds"] = (question, as) => {
      const known = answers.find((answer) => answer.question.key === question.key);
      if (known) return known.yes;
      const yes = !answers.some((answer) => answer.yes && answer.question.key === question.excludes);
      answers = [...answers, { question, as, yes }];
      again ||= yes && question.equates !== undefined;
      return yes;
    };
    const known = new Map(answers.flatMap(({ yes, question: { equates } }) => (yes && equates ? [[equates.name, equates.value]] : [])));
    run({ holds, ruleOut: () => (out = true) }, known, (diagnostic) => found.push(diagnostic));
    if (again) continue;
    if (out) first ??= found;
    else {
      for (const diagnostic of found) tell(diagnostic, occurred ? answers : [], seen, report);
      occurred = true;
    }
    answers = next(answers);
    if (answers.length === 0) break;
  }
  if (!occurred) for (const diagnostic of first ?? []) report(diagnostic);
};

const tell = (diagnostic: Diagnostic, answers: readonly Answer[], seen: Set<string>, report: (diagnostic: Diagnostic) => void): void => {
  const key = JSON.stringify([diagnostic.code, diagnostic.at]);
  if (seen.has(key)) return;
  seen.add(key);
  const where = answers.filter(({ yes }) => !yes).map(({ as }) => `\`${as}\``);
  const said = where.length ? [{ message: `where it is not so that ${where.join(", ")}` }] : [];
  report({ ...diagnostic, notes: [...diagnostic.notes, ...said] });
};

/** The answers that the next case begins with: all up to the last yes, as a no. */
const next = (answers: readonly Answer[]): readonly Answer[] => {
  const last = answers.map(({ yes }) => yes).lastIndexOf(true);
  return last < 0 ? [] : [...answers.slice(0, last), { ...answers[last]!, yes: false }];
};

export interface Comparison {
  /** A truth value where the two sides decide it themselves. */
  readonly question: Question | boolean;
  /** Whether the comparison is the question's no. */
  readonly not: boolean;
  /** For a message. */
  readonly as: string;
}

/** A comparison of which a side is not known; undefined for any other. */
export const compared = (op: string, a: Value, b: Value): Comparison | undefined => {
  const [x, y] = [dimOf(a), dimOf(b)];
  if (x === undefined || y === undefined) return comparedText(op, a, b);
  if (typeof x === "number" && typeof y === "number") return undefined;
  const as = `${x} ${op} ${y}`;
  switch (op) {
    case "<":
      return { question: above(subtract(y, x)), not: false, as };
    case ">=":
      return { question: above(subtract(y, x)), not: true, as };
    case ">":
      return { question: above(subtract(x, y)), not: false, as };
    case "<=":
      return { question: above(subtract(x, y)), not: true, as };
    case "==":
      return { question: equal(x, y), not: false, as };
    case "!=":
      return { question: equal(x, y), not: true, as };
  }
  return undefined;
};

const comparedText = (op: string, a: Value, b: Value): Comparison | undefined => {
  const [open, text] = a.kind === "open" ? [a, b] : [b, a];
  if (open.kind !== "open" || open.type !== "text" || text.kind !== "text" || (op !== "==" && op !== "!=")) return undefined;
  const key = `${open.name} == "${text.value}"`;
  return { question: { key, equates: { name: open.name, value: text } }, not: op === "!=", as: key };
};

const above = (difference: Dim): Question | boolean =>
  typeof difference === "number" ? difference > 0 : { key: `0<${difference}`, excludes: `0<${multiply(difference, -1)}` };

const equal = (x: Dim, y: Dim): Question | boolean => {
  const difference = subtract(x, y);
  if (typeof difference === "number") return difference === 0;
  const [one, other] = [String(difference), String(multiply(difference, -1))];
  const equates = replaced(x, y) ?? replaced(y, x);
  return { key: `0==${one < other ? one : other}`, ...(equates && { equates }) };
};

const replaced = (x: Dim, y: Dim): Question["equates"] =>
  typeof x === "string" && /^\w+$/.test(x) && !symbolsOf([y]).some((factor) => factor.split(/\W/).includes(x))
    ? { name: x, value: size(y) }
    : undefined;
