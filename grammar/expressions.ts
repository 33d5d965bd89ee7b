// Expressions and path patterns (spec/language/syntax-expressions.md). Rules return tree nodes; whatever decides between two
// readings is a gate beside the alternative it guards.

import type { IToken, ParserMethod } from "chevrotain";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { level, levelOf, OperatorChain } from "./operators.ts";
import { MAX_DEPTH, Recovering } from "./recovery.ts";
import {
  Caret,
  Colon,
  Comma,
  Dot,
  DotDot,
  DoubleStar,
  Else,
  Equals,
  Every,
  If,
  Keep,
  LeftBrace,
  LeftBracket,
  LeftParen,
  Name,
  NumberToken,
  numberOf,
  Operator,
  Prefix,
  RightBrace,
  RightBracket,
  RightParen,
  readString,
  retag,
  Star,
  StringToken,
  Then,
} from "./tokens.ts";
import type { Argument, BinaryOp, Every as EveryNode, Expr, Index, List, NumberLit, Path, PathSegment, Span } from "./tree.ts";

export abstract class ExpressionParser extends Recovering {
  /** An expression; with `floor`, only operators of that level or above belong to it. */
  readonly expression: ParserMethod<[floor?: number], Expr> = this.RULE("expression", (floor = 0): Expr => {
    if (this.depth >= MAX_DEPTH)
      this.abandon(diagnostics.too_deep(this.spanOf(this.LA(1)), { limit: MAX_DEPTH }, { help: "give a part of it a name with `let`" }));
    this.depth++;
    const value = this.choose("an expression", [
      { ALT: () => this.SUBRULE(this.condition) },
      { ALT: () => this.SUBRULE(this.chain, { ARGS: [floor] }) },
    ]);
    this.depth--;
    return value;
  });

  private readonly condition = this.RULE("condition", (): Expr => {
    const start = this.start();
    this.CONSUME(If);
    const condition = this.SUBRULE(this.expression);
    this.word(1, Then);
    const then = this.SUBRULE1(this.expression);
    this.word(1, Else);
    const otherwise = this.SUBRULE2(this.expression);
    return { kind: "if", at: this.span(start), condition, then, otherwise };
  });

  private readonly chain = this.RULE("chain", (floor: number): Expr => {
    const chain = new OperatorChain((at) => {
      this.add(diagnostics.chained_comparison(at, { help: "compare each pair and join them with `and`" }));
    });
    const prefix = (token: IToken): void => this.ACTION(() => chain.prefix(token.image as "-" | "not", this.spanOf(token)));
    const operand = (value: Expr): void => this.ACTION(() => chain.operand(value));
    this.MANY(() => prefix(this.CONSUME(Prefix)));
    operand(this.SUBRULE(this.postfix));
    this.otherPower();
    this.MANY1({
      GATE: () => levelOf(this.operatorAt(1)) >= floor,
      DEF: () => {
        this.ACTION(() => chain.binary(this.operatorAt(1), this.spanOf(this.LA(1))));
        this.CONSUME(Operator);
        this.MANY2(() => prefix(this.CONSUME1(Prefix)));
        operand(this.SUBRULE1(this.postfix));
        this.otherPower();
      },
    });
    return this.ACTION(() => chain.finish());
  });

  /** `x ** 2` is read as `x ^ 2`. */
  private otherPower(): void {
    this.ACTION(() => {
      const token = this.LA(1);
      if (token.tokenType !== DoubleStar || !this.onSameLine()) return;
      const at = this.spanOf(token);
      this.add(
        diagnostics.other_spelling(
          at,
          { found: "**", expected: "^" },
          { help: "write `^`", fixes: [{ at, insert: "^", title: "write `^`" }] },
        ),
      );
      retag(token, Caret);
    });
  }

  private operatorAt(ahead: number): BinaryOp {
    const token = this.LA(ahead);
    return ((token.tokenType.LABEL ?? "").slice(1, -1) || token.image) as BinaryOp;
  }

  private readonly postfix = this.RULE("postfix", (): Expr => {
    const start = this.start();
    let value = this.SUBRULE(this.primary);
    this.MANY({
      // A bracket that begins a line begins something new.
      GATE: () => (value.kind !== "path" || this.source.text[start] === "(") && (this.next(Dot) || this.onSameLine()),
      DEF: () => {
        value = this.choose("`.`, `(` or `[`", [
          { GATE: () => this.next(Name, 2), ALT: () => this.SUBRULE(this.memberOf, { ARGS: [value, start] }) },
          { ALT: () => this.SUBRULE(this.patternOf, { ARGS: [value, start] }) },
          {
            ALT: () => {
              const args = this.SUBRULE(this.args);
              return { kind: "call", at: this.span(start), callee: value, args };
            },
          },
          { ALT: () => this.SUBRULE(this.index, { ARGS: [value, start] }) },
        ]);
      },
    });
    return value;
  });

  private readonly memberOf = this.RULE("memberOf", (of: Expr, start: number): Expr => {
    this.CONSUME(Dot);
    const name = this.nameOf(this.CONSUME(Name));
    return { kind: "member", at: this.span(start), of, name };
  });

  /** `layers` so far, then `.4`, `.*`, `.{q, v}` …: what looked like members was the beginning of a pattern. */
  private readonly patternOf = this.RULE("patternOf", (of: Expr, start: number): Expr => {
    const segments: PathSegment[] = [];
    this.ACTION(() => {
      const begun = this.asSegments(of);
      if (!begun) {
        this.CONSUME1(Dot);
        this.CONSUME2(Name); // fails: after a call only a member can follow
      }
      segments.push(...(begun ?? []));
    });
    this.AT_LEAST_ONE({
      ERR_MSG: "a name",
      DEF: () => {
        this.CONSUME(Dot);
        const read = this.SUBRULE(this.segment);
        this.ACTION(() => segments.push(...read));
      },
    });
    const at = this.span(start);
    return { kind: "path", at, path: { kind: "path", at, segments } };
  });

  private asSegments(expr: Expr): PathSegment[] | undefined {
    const segments: PathSegment[] = [];
    let rest = expr;
    for (; rest.kind === "member"; rest = rest.of) segments.push({ kind: "name", text: rest.name.text, at: rest.name.at });
    if (rest.kind !== "ref" || this.source.text[expr.at.start] === "(") return undefined;
    segments.push({ kind: "name", text: rest.name, at: rest.at });
    return segments.reverse();
  }

  private readonly primary = this.RULE(
    "primary",
    (): Expr =>
      this.choose<Expr>("an expression", [
        { ALT: () => this.SUBRULE(this.number) },
        {
          ALT: () => {
            const token = this.CONSUME(StringToken);
            return { kind: "string", at: this.spanOf(token), value: this.textOf(token) };
          },
        },
        { GATE: () => this.next(NumberToken, 2), ALT: () => this.SUBRULE(this.every) },
        {
          // After an operator at a line's end, the next line's member is not the operand.
          GATE: () => !this.startsMember() && !this.startsItem(),
          ALT: () => {
            const token = this.CONSUME(Name);
            return { kind: "ref", at: this.spanOf(token), name: token.image };
          },
        },
        { ALT: () => this.SUBRULE(this.list) },
        { ALT: () => this.SUBRULE(this.group) },
        {
          GATE: () => this.next(Star) || this.next(DoubleStar),
          ALT: () => {
            const path = this.SUBRULE(this.path);
            return { kind: "path", at: path.at, path };
          },
        },
      ]),
  );

  protected readonly number = this.RULE("number", (): NumberLit => {
    const token = this.CONSUME(NumberToken);
    return this.ACTION(() => this.literal(token));
  });

  private literal(token: IToken): NumberLit {
    const at = this.spanOf(token);
    const { text, value, unit } = numberOf(token.image);
    if (!unit) return { kind: "number", at, text, value };
    const meant = (token.payload as { unit?: string }).unit ?? unit;
    return { kind: "number", at, text, value, unit: { text: meant, at: { ...at, start: at.end - unit.length } } };
  }

  protected textOf(token: IToken): string {
    return readString(token.image, token.startOffset, this.source.file);
  }

  /** A string where only a string can stand. */
  protected readonly label = this.RULE("label", (): { text: string; at: Span } => {
    const token = this.CONSUME(StringToken);
    return { text: this.textOf(token), at: this.spanOf(token) };
  });

  private readonly every = this.RULE("every", (): EveryNode => {
    const start = this.start();
    this.CONSUME(Every);
    const interval = this.SUBRULE(this.number);
    this.slip(Keep);
    const keep = this.OPTION({
      GATE: () => this.next(NumberToken, 2),
      DEF: () => {
        this.CONSUME(Keep);
        return this.SUBRULE1(this.number);
      },
    });
    return { kind: "every", at: this.span(start), interval, ...(keep && { keep }) };
  });

  /** `[a, b]`, and a shape: `[.., in]`. */
  protected readonly list = this.RULE("list", (): List => {
    const start = this.start();
    const items = this.sequence(1, this.CONSUME(LeftBracket), RightBracket, () => this.SUBRULE(this.item_));
    return { kind: "list", at: this.span(start), items };
  });

  private readonly item_ = this.RULE(
    "item_",
    (): Expr =>
      this.choose<Expr>("an expression", [
        {
          ALT: () => ({ kind: "ellipsis", at: this.spanOf(this.CONSUME(DotDot)) }),
        },
        { ALT: () => this.SUBRULE(this.expression) },
      ]),
  );

  /** `(a + b)` is `a + b` with the parentheses in its span; `(a, b)` is a list. */
  private readonly group = this.RULE("group", (): Expr => {
    const start = this.start();
    const open = this.CONSUME(LeftParen);
    const items = this.sequence(1, open, RightParen, () => this.SUBRULE(this.expression));
    const at = this.span(start);
    return this.ACTION(() => {
      const [only] = items;
      if (!only) this.abandon(this.unexpected("an expression", this.LA(0)));
      return items.length === 1 ? { ...only, at } : { kind: "list", at, items };
    });
  });

  protected readonly args = this.RULE("args", (): Argument[] =>
    this.sequence(1, this.CONSUME(LeftParen), RightParen, () => this.SUBRULE(this.argument)),
  );

  private readonly argument = this.RULE("argument", (): Argument => {
    const start = this.start();
    const name = this.OPTION({
      GATE: () => this.next(Colon, 2) || this.next(Equals, 2),
      DEF: () => {
        const token = this.CONSUME(Name);
        this.choose("`:`", [
          { ALT: () => this.CONSUME(Colon) },
          {
            ALT: () => {
              const at = this.spanOf(this.CONSUME(Equals));
              this.repaired(
                diagnostics.wrong_sign(
                  at,
                  { what: "an argument", expected: ":", found: "=" },
                  { help: `write \`${token.image}: …\``, fixes: [{ at, insert: ":", title: "write `:`" }] },
                ),
              );
            },
          },
        ]);
        return this.nameOf(token);
      },
    });
    const value = this.SUBRULE(this.expression);
    return { at: this.span(start), ...(name && { name }), value };
  });

  private readonly index = this.RULE("index", (of: Expr, start: number): Index => {
    const items = this.sequence(1, this.CONSUME(LeftBracket), RightBracket, () => this.SUBRULE(this.place));
    return { kind: "index", at: this.span(start), of, items };
  });

  private readonly place = this.RULE("place", (): Index["items"][number] => {
    const start = this.start();
    return this.choose<Index["items"][number]>("an index", [
      {
        ALT: () => {
          this.CONSUME(Colon);
          const to = this.OPTION1({ GATE: () => !this.next(Comma), DEF: () => this.SUBRULE1(this.expression) });
          return { kind: "slice", at: this.span(start), ...(to && { to }) };
        },
      },
      {
        ALT: () => {
          const value = this.SUBRULE(this.item_);
          const slice = this.OPTION2(() => {
            this.CONSUME1(Colon);
            return { to: this.OPTION3(() => this.SUBRULE2(this.expression)) };
          });
          if (!slice) return value;
          return { kind: "slice", at: this.span(start), from: value, ...(slice.to && { to: slice.to }) };
        },
      },
    ]);
  });

  // ---- paths ----------------------------------------------------------------------------------------------------------

  protected readonly path = this.RULE("path", (): Path => {
    const start = this.start();
    const segments: PathSegment[] = [];
    const add = (read: PathSegment[]): void => this.ACTION(() => void segments.push(...read));
    add(this.SUBRULE(this.segment));
    this.MANY(() => {
      this.CONSUME(Dot);
      add(this.SUBRULE1(this.segment));
    });
    return { kind: "path", at: this.span(start), segments };
  });

  /** Paths with commas between them; a comma before `name:` belongs to the block around them. */
  protected paths(index: number): Path[] {
    const paths = [this.subrule(index, this.path)];
    this.many(index, {
      GATE: () => !(this.next(Name, 2) && (this.next(Colon, 3) || this.next(Equals, 3))),
      DEF: () => {
        this.consume(index, Comma);
        paths.push(this.subrule(index + 100, this.path));
      },
    });
    return paths;
  }

  private readonly segment = this.RULE("segment", (): PathSegment[] => {
    const start = this.start();
    return this.choose<PathSegment[]>("a name, a number, `*`, `**` or `{…}`", [
      {
        ALT: () => {
          const token = this.CONSUME(Name);
          return [{ kind: "name", text: token.image, at: this.spanOf(token) }];
        },
      },
      { ALT: () => [{ kind: "star", at: this.spanOf(this.CONSUME(Star)) }] },
      { ALT: () => [{ kind: "deep", at: this.spanOf(this.CONSUME(DoubleStar)) }] },
      {
        ALT: () => {
          const token = this.CONSUME(StringToken);
          return [{ kind: "checkpoint", pattern: this.textOf(token), at: this.spanOf(token) }];
        },
      },
      {
        ALT: () => {
          const numbers = [this.CONSUME(NumberToken)];
          this.MANY(() => {
            this.CONSUME(DotDot);
            numbers.push(this.CONSUME1(NumberToken));
          });
          return this.ACTION(() => this.indices(numbers));
        },
      },
      {
        ALT: () => {
          const open = this.CONSUME(LeftBrace);
          const options = this.sequence(1, open, RightBrace, () => this.nameOf(this.CONSUME1(Name)));
          return [{ kind: "choice", options, at: this.span(start) }];
        },
      },
    ]);
  });

  /** `3`, `3..7`; and `3.4`, which the lexer reads as one number, is two places: `blocks.3.4`, `blocks.0..3.4..7`. */
  private indices(numbers: readonly IToken[]): PathSegment[] {
    const places: Extract<PathSegment, { kind: "index" }>[] = [];
    for (const number of numbers) {
      const [first, ...more] = this.placesOf(number);
      const low = places.pop();
      if (low?.to !== undefined) this.abandon(this.unexpected("`.` or the path's end", number));
      places.push(low ? { ...low, to: first!.from, at: { ...low.at, end: first!.at.end } } : first!, ...more);
    }
    return places;
  }

  private placesOf(token: IToken): Extract<PathSegment, { kind: "index" }>[] {
    if (!/^\d+(?:\.\d+)?$/.test(token.image)) {
      this.abandon(
        this.unexpected("a whole number", token, { help: "a place in a list of layers is written `layers.4` or `layers.4..7`" }),
      );
    }
    let offset = token.startOffset;
    return token.image.split(".").map((digits) => {
      const start = offset;
      offset += digits.length + 1;
      return { kind: "index", from: Number(digits), at: { file: this.source.file, start, end: start + digits.length } };
    });
  }

  /** The level above comparisons, for a bound whose comparison is already read. */
  protected readonly aboveComparison = level.comparison + 1;
}
