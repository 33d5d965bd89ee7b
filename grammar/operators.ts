// Operands and operators in reading order, to a tree that obeys precedence (spec/language/syntax-expressions.md). Iterative, so a long
// chain costs no stack: the shunting yard of Dijkstra (1961).

import type { BinaryOp, Expr, Span, Unary } from "./tree.ts";

/** Tighter operators have higher levels. `if` is below all of them; calls, members and indexing are above. */
export const level = { or: 1, and: 2, not: 3, comparison: 4, concat: 5, sum: 6, product: 7, negate: 8, power: 9 } as const;

const binaryLevels: Readonly<Record<BinaryOp, number>> = {
  or: level.or,
  and: level.and,
  "<": level.comparison,
  "<=": level.comparison,
  ">": level.comparison,
  ">=": level.comparison,
  "==": level.comparison,
  "!=": level.comparison,
  "++": level.concat,
  "+": level.sum,
  "-": level.sum,
  "*": level.product,
  "/": level.product,
  "@": level.product,
  "^": level.power,
};

export const levelOf = (op: BinaryOp): number => binaryLevels[op];
export const unaryLevelOf = (op: Unary["op"]): number => (op === "not" ? level.not : level.negate);

type Pending =
  | { readonly op: BinaryOp; readonly unary: false; readonly at: Span }
  | { readonly op: Unary["op"]; readonly unary: true; readonly at: Span };

/** Collects one chain; `finish` gives its tree. */
export class OperatorChain {
  private readonly operands: Expr[] = [];
  private readonly pending: Pending[] = [];
  private readonly chained: (at: Span) => void;

  /** `chained` is told of a comparison whose left side is a comparison. */
  constructor(chained: (at: Span) => void) {
    this.chained = chained;
  }

  operand(value: Expr): void {
    this.operands.push(value);
  }

  prefix(op: Unary["op"], at: Span): void {
    this.pending.push({ op, unary: true, at });
  }

  binary(op: BinaryOp, at: Span): void {
    const own = levelOf(op);
    for (let top = this.pending.at(-1); top; top = this.pending.at(-1)) {
      const other = top.unary ? unaryLevelOf(top.op) : levelOf(top.op);
      if (other < own || (other === own && op === "^")) break;
      if (other === own && own === level.comparison) this.chained(at);
      this.reduce();
    }
    this.pending.push({ op, unary: false, at });
  }

  finish(): Expr {
    while (this.pending.length) this.reduce();
    return this.operands[0]!;
  }

  private reduce(): void {
    const { pending, operands } = this;
    const top = pending.pop()!;
    const right = operands.pop()!;
    if (top.unary) operands.push({ kind: "unary", at: { ...top.at, end: right.at.end }, op: top.op, value: right });
    else {
      const left = operands.pop()!;
      operands.push({ kind: "binary", at: { ...left.at, end: right.at.end }, op: top.op, left, right });
    }
  }
}
