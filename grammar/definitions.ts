// The items of stdlib/: modules, architectures, methods, optimizers, schedules and formats (spec/language/syntax-definitions.md).

import { MemberParser } from "./members.ts";
import {
  Amends,
  Architecture,
  At,
  Bar,
  Colon,
  Comma,
  Config,
  Equals,
  For,
  Format,
  Interface,
  Is,
  LeftBrace,
  LeftParen,
  Method,
  Minus,
  Module,
  Name,
  Optimizer,
  Or,
  Question,
  RightParen,
  Schedule,
  Trains,
} from "./tokens.ts";
import type {
  ArchitectureDef,
  Claim,
  ConfigKey,
  Expr,
  FormatDef,
  InterfaceDef,
  Member,
  MethodDef,
  ModuleDef,
  Name as NameNode,
  OptimizerDef,
  Parameter,
  ScheduleDef,
} from "./tree.ts";

const configForm = "a key of config.json is written `hidden_size: int` or `rms_norm_eps: float = 1e-6`";

export abstract class DefinitionParser extends MemberParser {
  /** The doc comment before the item that starts here, as a property. */
  protected abstract doc(start: number): { readonly doc?: string };

  protected readonly moduleDef = this.RULE("moduleDef", (): ModuleDef => {
    const start = this.start();
    this.CONSUME(Module);
    const name = this.nameOf(this.CONSUME(Name));
    const parameters = this.SUBRULE(this.parameters);
    const is = this.SUBRULE(this.claims);
    const members = this.SUBRULE(this.body, { ARGS: ["a module"] });
    return { kind: "module", at: this.span(start), ...this.doc(start), name, parameters, ...(is && { is }), members };
  });

  protected readonly interfaceDef = this.RULE("interfaceDef", (): InterfaceDef => {
    const start = this.start();
    this.CONSUME(Interface);
    const name = this.nameOf(this.CONSUME(Name));
    const parameters = this.SUBRULE(this.parameters);
    const members = this.SUBRULE(this.body, { ARGS: ["an interface"] });
    return { kind: "interface", at: this.span(start), ...this.doc(start), name, parameters, members };
  });

  /** `is Attention, Cached(size: heads)`: nothing, or one or more. */
  private readonly claims = this.RULE("claims", (): Claim[] | undefined => {
    this.slip(Is);
    return this.OPTION(() => {
      this.CONSUME(Is);
      const claims = [this.SUBRULE(this.claim)];
      this.MANY(() => {
        this.CONSUME(Comma);
        claims.push(this.SUBRULE1(this.claim));
      });
      return claims;
    });
  });

  private readonly claim = this.RULE("claim", (): Claim => {
    const start = this.start();
    const name = this.nameOf(this.CONSUME(Name));
    const args = this.OPTION(() => this.SUBRULE(this.args)) ?? [];
    return { at: this.span(start), name, args };
  });

  protected readonly architectureDef = this.RULE("architectureDef", (): ArchitectureDef => {
    const start = this.start();
    this.CONSUME(Architecture);
    const name = this.nameOf(this.CONSUME(Name));
    this.word(1, For);
    const classes = [this.SUBRULE(this.label)];
    this.MANY(() => {
      this.CONSUME(Comma);
      classes.push(this.SUBRULE1(this.label));
    });
    const is = this.SUBRULE(this.claims);
    const config: ConfigKey[] = [];
    const members: Member[] = [];
    this.block(
      10,
      () =>
        this.choose("a member", [
          {
            GATE: () => this.next(LeftBrace, 2) || (this.next(Name, 2) && this.next(Colon, 3)),
            ALT: () => {
              const keys = this.SUBRULE(this.config);
              this.ACTION(() => void config.push(...keys));
            },
          },
          {
            ALT: () => {
              const member = this.SUBRULE(this.member, { ARGS: ["an architecture"] });
              if (member) members.push(member);
            },
          },
        ]),
      { expected: "a member" },
    );
    return { kind: "architecture", at: this.span(start), ...this.doc(start), name, classes, ...(is && { is }), config, members };
  });

  protected readonly methodDef = this.RULE("methodDef", (): MethodDef => {
    const start = this.start();
    this.CONSUME(Method);
    const name = this.nameOf(this.CONSUME(Name));
    const parameters = this.SUBRULE(this.parameters);
    this.slip(Amends, Trains);
    const amends = this.choose<NameNode | undefined>("`amends` or `trains`", [
      {
        ALT: () => {
          this.CONSUME(Amends);
          return this.nameOf(this.CONSUME1(Name));
        },
      },
      { ALT: () => void this.CONSUME(Trains) },
    ]);
    const members = this.SUBRULE(this.body, { ARGS: ["a method"] });
    return { kind: "method", at: this.span(start), ...this.doc(start), name, parameters, ...(amends && { amends }), members };
  });

  protected readonly optimizerDef = this.RULE("optimizerDef", (): OptimizerDef => {
    const start = this.start();
    this.CONSUME(Optimizer);
    const name = this.nameOf(this.CONSUME(Name));
    const parameters = this.SUBRULE(this.parameters);
    const members = this.SUBRULE(this.body, { ARGS: ["an optimizer"] });
    return { kind: "optimizer", at: this.span(start), ...this.doc(start), name, parameters, members };
  });

  protected readonly formatDef = this.RULE("formatDef", (): FormatDef => {
    const start = this.start();
    this.CONSUME(Format);
    const name = this.nameOf(this.CONSUME(Name));
    const parameters = this.SUBRULE(this.parameters);
    const members = this.SUBRULE(this.body, { ARGS: ["a format"] });
    return { kind: "format", at: this.span(start), ...this.doc(start), name, parameters, members };
  });

  protected readonly scheduleDef = this.RULE("scheduleDef", (): ScheduleDef => {
    const start = this.start();
    this.CONSUME(Schedule);
    const name = this.nameOf(this.CONSUME(Name));
    const parameters = this.SUBRULE(this.parameters);
    this.CONSUME(Equals);
    const value = this.SUBRULE(this.expression);
    return { kind: "schedule", at: this.span(start), ...this.doc(start), name, parameters, value };
  });

  private readonly parameters = this.RULE("parameters", (): Parameter[] =>
    this.sequence(1, this.CONSUME(LeftParen), RightParen, () => this.SUBRULE(this.parameter)),
  );

  private readonly parameter = this.RULE("parameter", (): Parameter => {
    const start = this.start();
    const name = this.nameOf(this.CONSUME(Name));
    const type = this.OPTION(() => {
      this.CONSUME(Colon);
      return this.nameOf(this.CONSUME1(Name));
    });
    const value = this.OPTION1(() => {
      this.CONSUME(Equals);
      return this.SUBRULE(this.expression);
    });
    return { at: this.span(start), name, ...(type && { type }), ...(value && { value }) };
  });

  // ---- config ---------------------------------------------------------------------------------------------------------

  private readonly config = this.RULE("config", (): ConfigKey[] => {
    this.CONSUME(Config);
    return this.block(1, () => this.SUBRULE(this.configKey), {
      expected: "a key of config.json",
      commas: true,
      foreign: () => !(this.next(Colon, 2) || this.next(Question, 2)),
    });
  });

  private readonly configKey = this.RULE("configKey", (): ConfigKey | undefined =>
    this.unit(configForm, () => {
      const start = this.start();
      const name = this.nameOf(this.CONSUME(Name));
      const optional = this.OPTION(() => this.CONSUME(Question)) !== undefined;
      this.CONSUME(Colon);
      const type = this.SUBRULE(this.configType);
      const paths: ConfigKey["paths"][number][] = [];
      this.OPTION2(() => {
        this.CONSUME(At);
        paths.push(this.SUBRULE(this.label));
        this.MANY(() => {
          this.CONSUME(Or);
          paths.push(this.SUBRULE1(this.label));
        });
      });
      const value = this.OPTION1(() => {
        this.CONSUME(Equals);
        return this.SUBRULE(this.expression);
      });
      return { at: this.span(start), name, optional, type, paths, ...(value && { value }) };
    }),
  );

  private readonly configType = this.RULE("configType", (): ConfigKey["type"] => {
    const start = this.start();
    const oneOf = [this.SUBRULE(this.configLiteral)];
    this.MANY(() => {
      this.CONSUME(Bar);
      oneOf.push(this.SUBRULE1(this.configLiteral));
    });
    return this.ACTION(() => {
      const [only] = oneOf;
      const type = oneOf.length === 1 && only?.kind === "ref" && !["none", "true", "false"].includes(only.name);
      return type ? { text: only.name, at: only.at } : { oneOf, at: this.span(start) };
    });
  });

  private readonly configLiteral = this.RULE(
    "configLiteral",
    (): Expr =>
      this.choose<Expr>("`int`, `float`, `bool`, `string` or a literal", [
        {
          ALT: () => {
            const { text, at } = this.SUBRULE(this.label);
            return { kind: "string", at, value: text };
          },
        },
        { ALT: () => this.SUBRULE(this.number) },
        {
          ALT: () => {
            const start = this.start();
            this.CONSUME(Minus);
            const value = this.SUBRULE1(this.number);
            return { kind: "unary", at: this.span(start), op: "-", value };
          },
        },
        {
          ALT: () => {
            const token = this.CONSUME(Name);
            return { kind: "ref", at: this.spanOf(token), name: token.image };
          },
        },
      ]),
  );
}
