// Members: what a definition's body is made of (spec/language/syntax-definitions.md). Each is a unit that recovers on its own.

import type { ParserMethod } from "chevrotain";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { SimpleMemberParser } from "./simple-members.ts";
import {
  Add,
  Arrow,
  As,
  At,
  Colon,
  Comma,
  Dot,
  Each,
  Equals,
  Forward,
  Frozen,
  Interop,
  Joins,
  Kept,
  LeftParen,
  Let,
  Measure,
  Name,
  Named,
  Needs,
  Observe,
  Param,
  Parameter,
  Point,
  Question,
  Repeat,
  RightParen,
  Shared,
  Stacked,
  State,
  Tied,
  Tilde,
  Transposed,
  When,
} from "./tokens.ts";
import type {
  BindMember,
  Call,
  ChildMember,
  EachMember,
  Entry,
  Expr,
  ForwardMember,
  InteropMember,
  LetMember,
  Member,
  ParamMember,
  PointMember,
  Span,
  StoredName,
  Tie,
} from "./tree.ts";

/** The kind of body a member stands in decides whether `name = …` is a child or a binding, and what is out of place. */
type Place = "a module" | "an interface" | "an architecture" | "a method" | "an optimizer" | "a format";

const forms = {
  member: "a member is written `param weight: [out, in]`, `let h = …`, `name = …`, or `forward(x: [.., in]) = …`",
};

export const entryForm = "an entry is written `key: value`";

export abstract class MemberParser extends SimpleMemberParser {
  protected readonly body = this.RULE("body", (place: Place): Member[] =>
    this.block(1, () => this.SUBRULE(this.member, { ARGS: [place] }), { expected: "a member" }),
  );

  protected readonly member: ParserMethod<[place: Place], Member | undefined> = this.RULE("member", (place: Place): Member | undefined =>
    this.unit(forms.member, () => {
      this.slipAtStart([Param, Frozen, Shared, Kept, Let, State, Observe, Measure, Needs, Interop], [Forward]);
      const word = this.LA(1);
      const member = this.choose<Member>("a member", [
        { GATE: () => this.asWord(), ALT: () => this.SUBRULE(this.param) },
        { GATE: () => this.asWord(), ALT: () => this.SUBRULE(this.let) },
        { GATE: () => this.asWord(), ALT: () => this.SUBRULE(this.state) },
        { GATE: () => this.asWord(), ALT: () => this.SUBRULE(this.observe) },
        { GATE: () => this.asWord(), ALT: () => this.SUBRULE(this.measure) },
        { GATE: () => this.asWord(), ALT: () => this.SUBRULE(this.needs) },
        { GATE: () => this.asWord(), ALT: () => this.SUBRULE(this.forward) },
        { GATE: () => this.asWord(), ALT: () => this.SUBRULE(this.interop) },
        { GATE: () => this.asWord(), ALT: () => this.SUBRULE(this.point) },
        { GATE: () => this.asWord(), ALT: () => this.SUBRULE(this.each) },
        {
          GATE: () => place === "a module" || place === "an architecture" || place === "an interface",
          ALT: () => this.SUBRULE(this.child),
        },
        { ALT: () => this.SUBRULE(this.bind) },
      ]);
      this.ACTION(() => this.checkPlace(member, place, word.image, this.spanOf(word)));
      return member;
    }),
  );

  private checkPlace(member: Member, place: Place, word: string, at: Span): void {
    const belongs: Partial<Record<Member["kind"], string>> = {
      forward: "a module or an architecture",
      state: "a method, an optimizer or a format",
      interop: "a method, an architecture or a format",
      point: "an interface",
      each: "a method",
      observe: "a method",
      measure: "a method",
      needs: "a method",
    };
    const belonging = belongs[member.kind] ?? "";
    // An interface says what is there and not how it is computed.
    const here =
      place === "an interface" ? ["param", "child", "point"].includes(member.kind) : belonging === "" || belonging.includes(place);
    if (here) return;
    const help = belonging ? `\`${word}\` belongs to ${belonging}` : "an interface holds `point`, `param` and children";
    this.repaired(diagnostics.member_not_here(at, { member: `\`${word}\``, place }, { help }));
  }

  private readonly param = this.RULE("param", (): ParamMember => {
    const start = this.start();
    const modifiers: ("frozen" | "shared" | "kept")[] = [];
    this.MANY(() =>
      this.choose("`frozen`, `shared` or `kept`", [
        {
          ALT: () => {
            this.CONSUME(Frozen);
            modifiers.push("frozen");
          },
        },
        {
          ALT: () => {
            this.CONSUME(Shared);
            modifiers.push("shared");
          },
        },
        {
          ALT: () => {
            this.CONSUME(Kept);
            modifiers.push("kept");
          },
        },
      ]),
    );
    this.word(1, Param);
    const names = [this.nameOf(this.CONSUME(Name))];
    this.MANY1(() => {
      this.CONSUME(Comma);
      names.push(this.nameOf(this.CONSUME1(Name)));
    });
    const optional = this.OPTION(() => this.CONSUME(Question)) !== undefined;
    this.CONSUME(Colon);
    const type = this.OPTION3(() => this.nameOf(this.CONSUME2(Name)));
    const shape = this.SUBRULE(this.list).items;
    const draw = this.OPTION1(() => {
      this.CONSUME(Tilde);
      return this.SUBRULE(this.expression);
    });
    const value = this.OPTION2(() => {
      this.CONSUME(Equals);
      return this.SUBRULE1(this.expression);
    });
    this.slip(When);
    const when = this.OPTION4({
      GATE: () => this.asWord(),
      DEF: () => {
        this.CONSUME(When);
        return this.SUBRULE2(this.expression);
      },
    });
    return {
      kind: "param",
      at: this.span(start),
      modifiers,
      names,
      optional,
      ...(type && { type }),
      shape,
      ...(draw && { draw }),
      ...(value && { value }),
      ...(when && { when }),
    };
  });

  private readonly point = this.RULE("point", (): PointMember => {
    const start = this.start();
    this.CONSUME(Point);
    const names = [this.nameOf(this.CONSUME(Name))];
    this.MANY(() => {
      this.CONSUME(Comma);
      names.push(this.nameOf(this.CONSUME1(Name)));
    });
    const shape = this.OPTION(() => {
      this.CONSUME(Colon);
      return this.SUBRULE(this.list).items;
    });
    return { kind: "point", at: this.span(start), names, ...(shape && { shape }) };
  });

  private readonly each = this.RULE("each", (): EachMember => {
    const start = this.start();
    this.CONSUME(Each);
    const module = this.nameOf(this.CONSUME(Name));
    const members = this.SUBRULE(this.body, { ARGS: ["a method"] });
    return { kind: "each", at: this.span(start), module, members };
  });

  private readonly bind = this.RULE("bind", (): BindMember => {
    const start = this.start();
    const target = [this.nameOf(this.CONSUME(Name))];
    this.MANY(() => {
      this.CONSUME(Dot);
      target.push(this.nameOf(this.CONSUME1(Name)));
    });
    const sign = this.choose<"=" | "+=">("`=` or `+=`", [
      { ALT: () => this.CONSUME(Equals).image as "=" },
      { ALT: () => this.CONSUME(Add).image as "+=" },
    ]);
    const value = this.SUBRULE(this.expression);
    return { kind: "bind", at: this.span(start), target, sign, value };
  });

  private readonly child = this.RULE("child", (): ChildMember => {
    const start = this.start();
    const name = this.nameOf(this.CONSUME(Name));
    const optional = this.OPTION4(() => this.CONSUME(Question)) !== undefined;
    this.CONSUME(Equals);
    const repeat = this.OPTION({
      GATE: () => this.next(Repeat) || (this.next(Stacked) && this.next(Repeat, 2)),
      DEF: () => {
        const stacked = this.OPTION5(() => this.CONSUME(Stacked)) !== undefined;
        this.CONSUME(Repeat);
        const count = this.SUBRULE(this.expression);
        this.word(1, As);
        const index = this.nameOf(this.CONSUME1(Name));
        this.CONSUME(Colon);
        return { count, index, stacked };
      },
    });
    const module = this.SUBRULE(this.moduleCall);
    const checkpoint = this.OPTION1(() => {
      this.CONSUME(At);
      const names: StoredName[] = [this.SUBRULE(this.label)];
      this.MANY1(() => {
        this.CONSUME(Joins);
        names.push(this.SUBRULE1(this.label));
      });
      return names;
    });
    this.slip(Named, Parameter, Transposed, When, Tied);
    const named = this.OPTION6({ GATE: () => this.asWord(), DEF: () => this.SUBRULE(this.runningName) });
    this.slip(Transposed, When, Tied);
    const transposed = this.OPTION2({ GATE: () => this.asWord(), DEF: () => this.CONSUME(Transposed) }) !== undefined;
    this.slip(When, Tied);
    const when = this.OPTION3({ GATE: () => this.asWord(), DEF: () => this.SUBRULE(this.whenClause) });
    this.slip(Tied);
    const ties: Tie[] = [];
    this.MANY({ GATE: () => this.next(Name, 2), DEF: () => ties.push(this.SUBRULE(this.tied)) });
    return {
      kind: "child",
      at: this.span(start),
      name,
      ...(optional && { optional }),
      ...(repeat && { repeat }),
      module,
      ...(checkpoint && { checkpoint }),
      ...(named && { named }),
      transposed,
      ...(when && { when }),
      ties,
    };
  });

  private readonly runningName = this.RULE("runningName", (): NonNullable<ChildMember["named"]> => {
    const kind = this.choose<"module" | "parameter">("`named` or `parameter`", [
      {
        ALT: () => {
          this.CONSUME(Named);
          return "module";
        },
      },
      {
        ALT: () => {
          this.CONSUME(Parameter);
          return "parameter";
        },
      },
    ]);
    return { ...this.SUBRULE(this.label), kind };
  });

  private readonly tied = this.RULE("tied", (): Tie => {
    const start = this.start();
    this.CONSUME(Tied);
    const param = this.nameOf(this.CONSUME(Name));
    this.CONSUME(Equals);
    const to = this.SUBRULE(this.expression);
    this.slip(When);
    const when = this.OPTION({ GATE: () => this.asWord(), DEF: () => this.SUBRULE(this.whenClause) });
    return { param, to, ...(when && { when }), at: this.span(start) };
  });

  private readonly whenClause = this.RULE("whenClause", (): Expr => {
    this.CONSUME(When);
    return this.SUBRULE(this.expression);
  });

  /** A module and its arguments: `Linear(hidden, hidden)`. What follows, `@ "…"` included, is the child's. */
  private readonly moduleCall = this.RULE("moduleCall", (): Call => {
    const start = this.start();
    const first = this.CONSUME(Name);
    let callee: Expr = { kind: "ref", at: this.spanOf(first), name: first.image };
    this.MANY(() => {
      this.CONSUME(Dot);
      const name = this.nameOf(this.CONSUME1(Name));
      callee = { kind: "member", at: this.span(start), of: callee, name };
    });
    const args = this.SUBRULE(this.args);
    return { kind: "call", at: this.span(start), callee, args };
  });

  private readonly forward = this.RULE("forward", (): ForwardMember => {
    const start = this.start();
    this.CONSUME(Forward);
    const inputs = this.sequence(1, this.CONSUME(LeftParen), RightParen, () => this.SUBRULE(this.forwardInput));
    const output = this.OPTION(() => {
      this.CONSUME(Arrow);
      return this.SUBRULE(this.list).items;
    });
    const body = this.choose<Pick<ForwardMember, "lets" | "value">>("`=` or `{`", [
      {
        ALT: () => {
          this.CONSUME(Equals);
          return { lets: [], value: this.SUBRULE(this.expression) };
        },
      },
      { ALT: () => this.SUBRULE(this.forwardBlock) },
    ]);
    return { kind: "forward", at: this.span(start), inputs, ...(output && { output }), lets: body.lets, value: body.value };
  });

  private readonly forwardInput = this.RULE("forwardInput", (): ForwardMember["inputs"][number] => {
    const start = this.start();
    const name = this.nameOf(this.CONSUME(Name));
    const declared = this.OPTION(() => {
      this.CONSUME(Colon);
      const type = this.OPTION1(() => this.nameOf(this.CONSUME1(Name)));
      return { ...(type && { type }), shape: this.SUBRULE(this.list).items };
    });
    return { name, ...declared, at: this.span(start) };
  });

  /** `{ let … let … value }`. A `let` that cannot be read is left out and the rest still is. */
  private readonly forwardBlock = this.RULE("forwardBlock", (): Pick<ForwardMember, "lets" | "value"> => {
    const lets: LetMember[] = [];
    let value: Expr | undefined;
    this.block(
      1,
      () =>
        this.choose("`let` or `}`", [
          {
            GATE: () => this.next(Name, 2) && this.next(Equals, 3),
            ALT: () => {
              const read = this.SUBRULE(this.forwardLet);
              if (read) lets.push(read);
            },
          },
          {
            GATE: () => value === undefined,
            ALT: () => {
              value = this.SUBRULE(this.forwardValue);
            },
          },
        ]),
      {
        expected: "`let` or the value",
        foreign: () => this.next(Equals, 2) || (this.startsMember() && !this.next(Let)) || (this.next(Forward) && this.next(LeftParen, 2)),
      },
    );
    return this.ACTION(() => {
      if (!value)
        this.abandon(
          this.unexpected("the block's value", this.LA(0), { help: "the last line of a `forward` block is its value, without a name" }),
        );
      return { lets, value };
    });
  });

  private readonly forwardLet = this.RULE("forwardLet", (): LetMember | undefined =>
    this.unit("a name is given with `let x = …`", () => this.SUBRULE(this.let)),
  );

  private readonly forwardValue = this.RULE("forwardValue", (): Expr | undefined =>
    this.unit(undefined, () => this.SUBRULE(this.expression)),
  );

  private readonly interop = this.RULE("interop", (): InteropMember => {
    const start = this.start();
    this.CONSUME(Interop);
    const library = this.nameOf(this.CONSUME(Name));
    const type = this.SUBRULE(this.label);
    const config: Entry[] = [];
    const tensors: { key: string; at: Span; value: Expr }[] = [];
    this.block(
      1,
      () =>
        this.choose("an entry", [
          {
            ALT: () => {
              const read = this.SUBRULE(this.entry);
              if (read) config.push(read);
            },
          },
          {
            ALT: () => {
              const read = this.SUBRULE(this.tensor);
              if (read) tensors.push(read);
            },
          },
        ]),
      { expected: "an entry", commas: true, foreign: () => !(this.next(Colon, 2) || this.next(Equals, 2)) },
    );
    return { kind: "interop", at: this.span(start), library, type, config, tensors };
  });

  private readonly tensor = this.RULE("tensor", (): InteropMember["tensors"][number] | undefined =>
    this.unit('a tensor\'s name is written `"lora_A.weight": a`', () => {
      const start = this.start();
      const key = this.SUBRULE(this.label).text;
      this.CONSUME(Colon);
      const value = this.SUBRULE(this.expression);
      return { key, at: this.span(start), value };
    }),
  );

  /** The `:` or `=` of an entry. */
  protected readonly sign = this.RULE("sign", (): ":" | "=" =>
    this.choose<":" | "=">("`:` or `=`", [
      { ALT: () => this.CONSUME(Colon).image as ":" },
      { ALT: () => this.CONSUME(Equals).image as "=" },
    ]),
  );

  /** `key: value` or `key = value`. */
  protected readonly entry = this.RULE("entry", (): Entry | undefined =>
    this.unit(entryForm, () => {
      const start = this.start();
      const key = this.nameOf(this.CONSUME(Name));
      const sign = this.SUBRULE(this.sign);
      const value = this.SUBRULE(this.expression);
      return { at: this.span(start), key, sign, value };
    }),
  );
}
