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
  const [head, ...rest] = expr;
  if (rest.length === 0 && head in names) return names[head]!;
  // Only the side that is chosen is computed: the other may divide by zero.
  if (head === "select") return evaluateScalar(rest[evaluateScalar(rest[0]!, names) !== 0 ? 1 : 2]!, names);
  const operator = operators[head];
  if (!operator) throw new Error(`the job uses the scalar operator ${head}, which this runtime does not have`);
  return operator(...rest.map((argument) => evaluateScalar(argument, names)));
};
