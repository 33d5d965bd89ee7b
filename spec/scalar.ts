// The job's host-side scalars (learning rates, bias corrections), evaluated in double precision.

import type { ScalarExpr } from "./job.ts";

const operators: Readonly<Record<string, (...args: number[]) => number>> = {
  add: (a, b) => a! + b!,
  sub: (a, b) => a! - b!,
  mul: (a, b) => a! * b!,
  div: (a, b) => a! / b!,
  pow: (a, b) => a! ** b!,
  neg: (a) => -a!,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  cos: Math.cos,
  sin: Math.sin,
  tanh: Math.tanh,
  abs: Math.abs,
  max: Math.max,
  min: Math.min,
  floor: Math.floor,
  mod: (a, b) => a! - b! * Math.floor(a! / b!),
  less: (a, b) => (a! < b! ? 1 : 0),
};

/** `names` gives the leaves: step (from 0) and total. Throws on an operator that the job's version does not have. */
export const evaluateScalar = (expr: ScalarExpr, names: Readonly<Record<string, number>>): number => {
  if (typeof expr === "number") return expr;
  // Without copies of lists: this runs at every step, and a check follows a whole schedule with it before anything is compiled.
  const head = expr[0];
  if (expr.length === 1 && head in names) return names[head]!;
  const argument = (at: number): number => evaluateScalar(expr[at] as ScalarExpr, names);
  // Only the side that is chosen is computed: the other may divide by zero.
  if (head === "select") return argument(argument(1) !== 0 ? 2 : 3);
  const operator = operators[head];
  if (!operator) throw new Error(`the job uses the scalar operator ${head}, which this runtime does not have`);
  return expr.length === 2 ? operator(argument(1)) : operator(argument(1), argument(2));
};
