// Sizes. A Dim is a number or a polynomial over named symbols, whose terms may have denominators, held as canonical text
// ("4*b*t+n", "in/block"), so that equality is ===, hashing is free and every level prints. Denominators appear only while a
// definition is checked without a checkpoint: a quotient times its divisor is its dividend by the arithmetic of terms alone. What is
// no polynomial ("max(in,out)") is a symbol of its own.

import type { Dim } from "../../spec/job.ts";

export type { Dim };

/** over / under, kept in lowest terms while both are whole. */
interface Ratio {
  readonly over: number;
  readonly under: number;
}

/** Factors above, then below the line, sorted: "b*t", "in/block", "/block"; "" is the constant. */
type Poly = Map<string, Ratio>;

const memo = new Map<string, Poly>();

const ratio = (over: number, under: number): Ratio => {
  if (under === 1) return { over, under };
  if (!Number.isInteger(over) || !Number.isInteger(under)) return { over: over / under, under: 1 };
  let [a, b] = [Math.abs(over), Math.abs(under)];
  while (b) [a, b] = [b, a % b];
  const sign = under < 0 ? -a : a;
  return { over: over / sign, under: under / sign };
};

/** What a term's factors are, above and below the line. */
const factorsOf = (monomial: string): { readonly above: readonly string[]; readonly below: readonly string[] } => {
  if (!monomial) return { above: [], below: [] };
  const [above = "", ...below] = splitOutside(monomial, "/");
  return { above: above ? splitOutside(above, "*") : [], below };
};

const monomialOf = (above: readonly string[], below: readonly string[]): string => {
  const rest = [...below];
  const kept = rest.length
    ? above.filter((factor) => {
        const i = rest.indexOf(factor);
        if (i >= 0) rest.splice(i, 1);
        return i < 0;
      })
    : [...above];
  return (
    kept.sort().join("*") +
    rest
      .sort()
      .map((factor) => `/${factor}`)
      .join("")
  );
};

const isNumber = (factor: string): boolean => /^-?\d+(\.\d+)?(e-?\d+)?$/.test(factor);

const parse = (dim: Dim): Poly => {
  if (typeof dim === "number") return new Map(dim === 0 ? [] : [["", { over: dim, under: 1 }]]);
  const known = memo.get(dim);
  if (known) return known;
  const poly: Poly = new Map();
  for (const term of splitOutside(dim, "+")) {
    let coefficient: Ratio = { over: 1, under: 1 };
    const { above, below } = factorsOf(term);
    for (const factor of above) if (isNumber(factor)) coefficient = ratio(coefficient.over * Number(factor), coefficient.under);
    for (const factor of below) if (isNumber(factor)) coefficient = ratio(coefficient.over, coefficient.under * Number(factor));
    const named = (factor: string): boolean => !isNumber(factor);
    addTerm(poly, monomialOf(above.filter(named), below.filter(named)), coefficient);
  }
  memo.set(dim, poly);
  return poly;
};

const addTerm = (poly: Poly, monomial: string, { over, under }: Ratio): void => {
  const was = poly.get(monomial);
  poly.set(monomial, was ? ratio(was.over * under + over * was.under, was.under * under) : { over, under });
};

/** Splits at a separator that stands outside parentheses. */
const splitOutside = (text: string, separator: string): string[] => {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "(") depth++;
    else if (text[i] === ")") depth--;
    else if (depth === 0 && text[i] === separator) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
};

/** `1e+21` would be read as a sum. */
const digits = (value: number): string => String(value).replace("e+", "e");

const print = (poly: Poly): Dim => {
  const terms = [...poly].filter(([, { over }]) => over !== 0).sort(([a], [b]) => b.length - a.length || (a < b ? -1 : 1));
  if (terms.length === 0) return 0;
  const [first] = terms;
  if (terms.length === 1 && first![0] === "") return first![1].over / first![1].under;
  return terms
    .map(([monomial, { over, under }]) => {
      const divided = under === 1 ? "" : `/${digits(under)}`;
      if (monomial === "" || monomial.startsWith("/")) return `${digits(over)}${divided}${monomial}`;
      return `${over === 1 ? "" : `${digits(over)}*`}${monomial}${divided}`;
    })
    .join("+");
};

export const symbol = (name: string): Dim => name;

export const add = (a: Dim, b: Dim): Dim => {
  if (typeof a === "number" && typeof b === "number") return a + b;
  const sum = new Map(parse(a));
  for (const [monomial, coefficient] of parse(b)) addTerm(sum, monomial, coefficient);
  return print(sum);
};

export const multiply = (a: Dim, b: Dim): Dim => {
  if (typeof a === "number" && typeof b === "number") return a * b;
  const product: Poly = new Map();
  for (const [m, c] of parse(a))
    for (const [n, d] of parse(b)) {
      const [left, right] = [factorsOf(m), factorsOf(n)];
      const key = monomialOf([...left.above, ...right.above], [...left.below, ...right.below]);
      addTerm(product, key, ratio(c.over * d.over, c.under * d.under));
    }
  return print(product);
};

export const subtract = (a: Dim, b: Dim): Dim => add(a, multiply(b, -1));

/** The quotient; undefined when both are numbers and it is not whole, or the divisor is 0. Of symbols it may have denominators. */
export const divide = (a: Dim, b: Dim): Dim | undefined => {
  if (a === b) return 1;
  if (b === 0) return undefined;
  if (typeof a === "number" && typeof b === "number") return a % b === 0 ? a / b : undefined;
  const [only, ...more] = parse(b);
  // Nothing cancels against a sum: it is one factor.
  if (!only || more.length) return multiply(a, `1/(${b})`);
  const { above, below } = factorsOf(only[0]);
  const inverse: Poly = new Map([[monomialOf(below, above), ratio(only[1].under, only[1].over)]]);
  return multiply(a, print(inverse));
};

/** How many elements a shape has. */
export const product = (shape: readonly Dim[]): Dim => shape.reduce<Dim>(multiply, 1);

export const isConcrete = (dim: Dim): dim is number => typeof dim === "number";

/** The value at given sizes. Throws on a symbol that has none: that is our fault, never a user's. */
export const at = (dim: Dim, sizes: Readonly<Record<string, number>>): number => {
  if (typeof dim === "number") return dim;
  const sized = (factor: string): number => {
    const size = sizes[factor];
    if (size === undefined) throw new Error(`no size given for symbol ${factor} of ${dim}`);
    return size;
  };
  let total = 0;
  for (const [monomial, { over, under }] of parse(dim)) {
    const { above, below } = factorsOf(monomial);
    total += above.reduce((term, factor) => term * sized(factor), over) / below.reduce((term, factor) => term * sized(factor), under);
  }
  return total;
};

/** Symbols that occur, sorted. */
export const symbolsOf = (dims: readonly Dim[]): string[] => {
  const found = new Set<string>();
  for (const dim of dims)
    if (typeof dim === "string")
      for (const monomial of parse(dim).keys()) {
        const { above, below } = factorsOf(monomial);
        for (const factor of [...above, ...below]) found.add(factor);
      }
  return [...found].sort();
};

/** The terms of a sum, for printers that compute a size where it is needed. Throws on a quotient: no model that runs has one. */
export const terms = (dim: Dim): readonly { readonly coefficient: number; readonly factors: readonly string[] }[] =>
  [...parse(dim)].map(([monomial, { over, under }]) => {
    const { above, below } = factorsOf(monomial);
    if (below.length || under !== 1) throw new Error(`the size ${dim} is a quotient`);
    return { coefficient: over, factors: above };
  });
