// Sizes. A Dim is a whole number or a polynomial over named symbols with whole coefficients, held as canonical text
// ("4*b*t+n"), so that equality is ===, hashing is free and every level prints. A quotient that does not divide becomes an
// opaque symbol "(a/b)": it appears only while a definition is checked without a checkpoint.

import type { Dim } from "../spec/job.ts";

export type { Dim };

type Poly = Map<string, number>; // monomial "b*t" (sorted factors, "" is the constant) -> coefficient

const memo = new Map<string, Poly>();

const parse = (dim: Dim): Poly => {
  if (typeof dim === "number") return new Map(dim === 0 ? [] : [["", dim]]);
  const known = memo.get(dim);
  if (known) return known;
  const poly: Poly = new Map();
  for (const term of splitOutside(dim, "+")) {
    let coefficient = 1;
    const factors: string[] = [];
    for (const factor of splitOutside(term, "*")) {
      if (/^-?\d+$/.test(factor)) coefficient *= Number(factor);
      else factors.push(factor);
    }
    const key = factors.sort().join("*");
    poly.set(key, (poly.get(key) ?? 0) + coefficient);
  }
  memo.set(dim, poly);
  return poly;
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

const print = (poly: Poly): Dim => {
  const terms = [...poly].filter(([, c]) => c !== 0).sort(([a], [b]) => b.length - a.length || (a < b ? -1 : 1));
  if (terms.length === 0) return 0;
  if (terms.length === 1 && terms[0]![0] === "") return terms[0]![1];
  return terms.map(([m, c]) => (m === "" ? `${c}` : c === 1 ? m : `${c}*${m}`)).join("+");
};

export const symbol = (name: string): Dim => name;

export const add = (a: Dim, b: Dim): Dim => {
  if (typeof a === "number" && typeof b === "number") return a + b;
  const sum = new Map(parse(a));
  for (const [m, c] of parse(b)) sum.set(m, (sum.get(m) ?? 0) + c);
  return print(sum);
};

export const multiply = (a: Dim, b: Dim): Dim => {
  if (typeof a === "number" && typeof b === "number") return a * b;
  const product: Poly = new Map();
  for (const [m, c] of parse(a))
    for (const [n, d] of parse(b)) {
      const key = [...(m ? splitOutside(m, "*") : []), ...(n ? splitOutside(n, "*") : [])].sort().join("*");
      product.set(key, (product.get(key) ?? 0) + c * d);
    }
  return print(product);
};

export const subtract = (a: Dim, b: Dim): Dim => add(a, multiply(b, -1));

/** Exact quotient; undefined when both are numbers and it is not whole. */
export const divide = (a: Dim, b: Dim): Dim | undefined => {
  if (a === b) return 1;
  if (typeof a === "number" && typeof b === "number") return a % b === 0 ? a / b : undefined;
  const divisor = [...parse(b)];
  if (divisor.length === 1) {
    const [mono, coefficient] = divisor[0]!;
    const wanted = mono ? splitOutside(mono, "*") : [];
    const quotient: Poly = new Map();
    const exact = [...parse(a)].every(([m, c]) => {
      const factors = m ? splitOutside(m, "*") : [];
      for (const factor of wanted) {
        const i = factors.indexOf(factor);
        if (i < 0) return false;
        factors.splice(i, 1);
      }
      quotient.set(factors.join("*"), c / coefficient);
      return c % coefficient === 0;
    });
    if (exact) return print(quotient);
  }
  // (a/b)*b == a must hold: keep the pair as one opaque symbol, and undo it in `product` below.
  return `(${a}/${b})`;
};

/** The product of a shape; an opaque quotient times its divisor is its dividend. */
export const product = (shape: readonly Dim[]): Dim => {
  const rest = [...shape];
  for (let i = 0; i < rest.length; i++) {
    const dim = rest[i]!;
    const quotient = typeof dim === "string" ? /^\((.*)\/([^/()]+)\)$/.exec(dim) : null;
    if (!quotient) continue;
    const j = rest.findIndex((d, k) => k !== i && String(d) === quotient[2]);
    if (j < 0) continue;
    const dividend = quotient[1]!;
    rest[i] = /^\d+$/.test(dividend) ? Number(dividend) : dividend;
    rest.splice(j, 1);
    i = -1;
  }
  return rest.reduce<Dim>(multiply, 1);
};

export const isConcrete = (dim: Dim): dim is number => typeof dim === "number";

/** The value at given sizes. Throws on a symbol that has none: that is our fault, never a user's. */
export const at = (dim: Dim, sizes: Readonly<Record<string, number>>): number => {
  if (typeof dim === "number") return dim;
  let total = 0;
  for (const [mono, c] of parse(dim)) {
    let term = c;
    for (const factor of mono ? splitOutside(mono, "*") : []) {
      const size = sizes[factor];
      if (size === undefined) throw new Error(`no size given for symbol ${factor} of ${dim}`);
      term *= size;
    }
    total += term;
  }
  return total;
};

/** Symbols that occur, sorted. */
export const symbolsOf = (dims: readonly Dim[]): string[] => {
  const found = new Set<string>();
  for (const dim of dims)
    if (typeof dim === "string") for (const m of parse(dim).keys()) if (m) for (const f of splitOutside(m, "*")) found.add(f);
  return [...found].sort();
};

/** The terms of a sum, for printers that compute a size where it is needed. */
export const terms = (dim: Dim): readonly { readonly coefficient: number; readonly factors: readonly string[] }[] =>
  [...parse(dim)].map(([m, coefficient]) => ({ coefficient, factors: m ? splitOutside(m, "*") : [] }));
