// Members that are a word, a name and expressions: what a method names, keeps, observes, measures and needs.

import { ExpressionParser } from "./expressions.ts";
import { Colon, DotDot, Equals, Let, Measure, Name, Needs, Observe, State, When } from "./tokens.ts";
import type { LetMember, MeasureMember, NeedsMember, ObserveMember, StateMember } from "./tree.ts";

export abstract class SimpleMemberParser extends ExpressionParser {
  protected readonly let = this.RULE("let", (): LetMember => {
    const start = this.start();
    this.CONSUME(Let);
    const name = this.nameOf(this.CONSUME(Name));
    this.CONSUME(Equals);
    const value = this.SUBRULE(this.expression);
    return { kind: "let", at: this.span(start), name, value };
  });

  protected readonly state = this.RULE("state", (): StateMember => {
    const start = this.start();
    this.CONSUME(State);
    const name = this.nameOf(this.CONSUME(Name));
    const shape = this.OPTION(() => {
      this.CONSUME(Colon);
      return this.SUBRULE(this.list).items;
    });
    this.CONSUME(Equals);
    const value = this.SUBRULE(this.expression);
    return { kind: "state", at: this.span(start), name, ...(shape && { shape }), value };
  });

  protected readonly observe = this.RULE("observe", (): ObserveMember => {
    const start = this.start();
    this.CONSUME(Observe);
    const name = this.nameOf(this.CONSUME(Name));
    this.CONSUME(Colon);
    const shape = this.SUBRULE(this.list).items;
    this.CONSUME(Equals);
    const value = this.SUBRULE(this.expression);
    return { kind: "observe", at: this.span(start), name, shape, value };
  });

  protected readonly measure = this.RULE("measure", (): MeasureMember => {
    const start = this.start();
    this.CONSUME(Measure);
    const name = this.nameOf(this.CONSUME(Name));
    this.CONSUME(Colon);
    const least = this.SUBRULE(this.expression);
    this.CONSUME(DotDot);
    const most = this.SUBRULE1(this.expression);
    this.CONSUME(Equals);
    const value = this.SUBRULE2(this.expression);
    const when = this.OPTION(() => {
      this.CONSUME(When);
      return this.SUBRULE3(this.expression);
    });
    return { kind: "measure", at: this.span(start), name, least, most, value, ...(when && { when }) };
  });

  protected readonly needs = this.RULE("needs", (): NeedsMember => {
    const start = this.start();
    this.CONSUME(Needs);
    const condition = this.SUBRULE(this.expression);
    return { kind: "needs", at: this.span(start), condition };
  });
}
