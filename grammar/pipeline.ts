// The items of a pipeline and the file around them (spec/language/syntax-pipelines.md). The outermost layer of the parser.

import type { IParserConfig } from "chevrotain";
import { type Diagnostic, nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { DefinitionParser } from "./definitions.ts";
import { MAX_TREE, tooDeepIn } from "./depth.ts";
import { entryForm } from "./members.ts";
import { collected, type FirstSets, useFirstSets } from "./stored-lookahead.ts";
import {
  Adapter,
  As,
  Base,
  Colon,
  Comma,
  Compare,
  Data,
  Dot,
  Equals,
  Evaluate,
  endOf,
  From,
  Import,
  Input,
  Into,
  itemTypes,
  LeftBrace,
  LeftParen,
  Merge,
  Name,
  NumberToken,
  numberOf,
  On,
  Operator,
  Over,
  Peft,
  Require,
  RightBrace,
  RightBracket,
  RightParen,
  retag,
  type Scanned,
  Store,
  Sweep,
  Train,
} from "./tokens.ts";
import type * as Tree from "./tree.ts";

/** Shown when an item cannot be read and nothing more precise is known. */
const forms: Readonly<Record<string, string>> = {
  import: 'an import is written `import "./shared.peft"` or `import { lora } from std.methods`',
  input: "an input is written `input rank: int = 8`",
  base: 'a base is written `base tiny = checkpoint("base/")`',
  adapter: "an adapter is written `adapter menu = lora(r: 8) into tiny.layers.*.attn.{q, v}`",
  data: 'data are written `data orders { train = jsonl("train.jsonl") }`',
  train: "training is written `train menu on orders { epochs: 3 }`",
  evaluate: "an evaluation is written `evaluate menu on orders.eval { metrics: [loss] }`",
  sweep: "a sweep is written `sweep ranks over menu { r: [1, 2, 4] }`",
  compare: "a comparison is written `compare families on orders { lora: menu, soft: soft }`",
  merge: 'a merge is written `merge menu into "merged/"`',
  require: "requirements are written `require { trainable(menu) <= 1% }`",
  module: "a module is written `module Linear(in: int, out: int) { … }`",
  interface: "an interface is written `interface Attention(heads: int) { point query: [.., heads] }`",
  architecture: 'an architecture is written `architecture llama for "LlamaForCausalLM" { … }`',
  method: "a method is written `method lora(r: int = 8) amends Linear { … }`",
  optimizer: "an optimizer is written `optimizer sgd(learning_rate: float) { … }`",
  schedule: "a schedule is written `schedule constant() = 1`",
  format: "a format is written `format nf4(block: int = 64) { … }`",
};

const comparisons = ["<", "<=", ">", ">=", "=="] as const;

export class PeftParser extends DefinitionParser {
  /** With what its choices may begin with, it is ready at once; without, Chevrotain analyses the grammar. */
  constructor(firstSets?: FirstSets, settings: IParserConfig = {}) {
    super(settings);
    if (firstSets) useFirstSets(this, firstSets);
    else this.performSelfAnalysis();
  }

  /** Of a parser that was analysed by the strategy of first-sets.ts. */
  lookaheads(): FirstSets {
    return collected(this);
  }

  /** Reads a whole file. */
  parse(source: Scanned): { file: Tree.File; diagnostics: Diagnostic[] } {
    this.begin(source);
    const file = this.file();
    return { file, diagnostics: [...this.reports] };
  }

  readonly file = this.RULE("file", (): Tree.File => {
    const items: Tree.Item[] = [];
    const version = this.OPTION({ GATE: () => this.next(NumberToken, 2), DEF: () => this.SUBRULE(this.version) });
    do {
      this.MANY(() => {
        const begun = this.start();
        const item = this.SUBRULE(this.item);
        this.ACTION(() => {
          const deep = item && this.span(begun).end - begun > MAX_TREE ? tooDeepIn(item) : undefined;
          if (deep) this.add(diagnostics.too_deep(deep, { limit: MAX_TREE }, { help: "give parts of it names with `let`" }));
          else if (item) items.push(item);
        });
      });
    } while (this.strayItem());
    const { file, text, comments } = this.source;
    return { kind: "file", at: { file, start: 0, end: text.length }, ...(version && { version }), items, comments };
  });

  private readonly version = this.RULE("version", (): NonNullable<Tree.File["version"]> => {
    const start = this.start();
    this.CONSUME(Peft);
    const value = numberOf(this.CONSUME(NumberToken).image).value;
    return { value, at: this.span(start) };
  });

  private readonly item = this.RULE("item", (): Tree.Item | undefined =>
    this.itemUnit(forms[this.LA(1).image] ?? "", () =>
      this.choose<Tree.Item>("an item", [
        { ALT: () => this.SUBRULE(this.import) },
        { ALT: () => this.SUBRULE(this.input_) },
        { ALT: () => this.SUBRULE(this.base) },
        { ALT: () => this.SUBRULE(this.adapter) },
        { ALT: () => this.SUBRULE(this.data) },
        { ALT: () => this.SUBRULE(this.train) },
        { ALT: () => this.SUBRULE(this.evaluate) },
        { ALT: () => this.SUBRULE(this.sweep) },
        { ALT: () => this.SUBRULE(this.compare) },
        { ALT: () => this.SUBRULE(this.merge) },
        { ALT: () => this.SUBRULE(this.require) },
        { ALT: () => this.SUBRULE(this.moduleDef) },
        { ALT: () => this.SUBRULE(this.interfaceDef) },
        { ALT: () => this.SUBRULE(this.architectureDef) },
        { ALT: () => this.SUBRULE(this.methodDef) },
        { ALT: () => this.SUBRULE(this.optimizerDef) },
        { ALT: () => this.SUBRULE(this.scheduleDef) },
        { ALT: () => this.SUBRULE(this.formatDef) },
      ]),
    ),
  );

  /** At something that begins no item: reports it, then reads it as the item it was meant to be, or skips it. */
  private strayItem(): boolean {
    if (this.RECORDING_PHASE || this.ended()) return false;
    const begun = this.indexOf(this.LA(1));
    this.itemUnit("", () => {
      const token = this.LA(1);
      const at = this.spanOf(token);
      if (this.next(Peft) && this.next(NumberToken, 2)) {
        this.repaired(
          diagnostics.misplaced_version(at, { version: this.LA(2).image }, { help: "move it to the first line; there can be only one" }),
        );
        this.consume(0, Peft);
        this.consume(0, NumberToken);
        return;
      }
      if (this.next(RightBrace) || this.next(RightParen) || this.next(RightBracket)) this.abandon(this.stray(token));
      if (!this.next(Name))
        this.abandon(this.unexpected("an item", token, { help: "a file is a list of items such as `base …`, `adapter …`, `train …`" }));
      const meant = this.next(Name, 2) || this.next(LeftBrace, 2) ? nearest(token.image, itemTypes.keys()) : undefined;
      const help = meant
        ? `did you mean \`${meant}\`?`
        : "an item begins with `base`, `adapter`, `data`, `train`, `evaluate`, `merge`, `method`, …";
      const fixes = meant ? [{ at, insert: meant, title: `write \`${meant}\`` }] : [];
      const diagnostic = diagnostics.unknown_item(at, { word: token.image }, { help, fixes });
      if (!meant) this.abandon(diagnostic);
      this.repaired(diagnostic);
      retag(token, itemTypes.get(meant!)!);
    });
    // The end of a block whose beginning was skipped: no news.
    while (this.next(RightBrace) && this.indexOf(this.LA(0)) > begun) this.consume(0, RightBrace);
    return true;
  }

  protected override doc(start: number): { readonly doc?: string } {
    if (this.RECORDING_PHASE) return {};
    const { comments, tokens } = this.source;
    let low = 0;
    for (let high = comments.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (comments[middle]!.at.start < start) low = middle + 1;
      else high = middle;
    }
    const lines: string[] = [];
    // The comments right above the item: between it and the token before it, up to the first empty line.
    const after = this.tokenBefore(start, tokens.length);
    let below = start;
    for (let i = low - 1; i >= 0 && comments[i]!.at.start >= after; i--) {
      const { text, at } = comments[i]!;
      if ((this.source.text.slice(at.end, below).match(/\r\n|\n|\r/g)?.length ?? 0) > 1) break;
      below = at.start;
      if (text.startsWith("///") && this.beginsLine(at.start)) lines.unshift(text.slice(3).replace(/^ /, "").trimEnd());
    }
    return lines.length ? { doc: lines.join("\n") } : {};
  }

  /** A comment after code on its line is about that code. */
  private beginsLine(offset: number): boolean {
    let at = offset - 1;
    while (this.source.text[at] === " " || this.source.text[at] === "\t") at--;
    return at < 0 || /[\n\r\uFEFF]/.test(this.source.text[at]!);
  }

  private tokenBefore(start: number, count: number): number {
    const { tokens } = this.source;
    let low = 0;
    for (let high = count; low < high; ) {
      const middle = (low + high) >> 1;
      if (tokens[middle]!.startOffset < start) low = middle + 1;
      else high = middle;
    }
    const previous = tokens[low - 1];
    return previous ? endOf(previous) : 0;
  }

  // ---- items ----------------------------------------------------------------------------------------------------------

  private readonly import = this.RULE("import", (): Tree.Import => {
    const start = this.start();
    this.CONSUME(Import);
    const names = this.OPTION(() => {
      const open = this.CONSUME(LeftBrace);
      const read = this.sequence(1, open, RightBrace, () => this.nameOf(this.CONSUME(Name)));
      this.word(1, From);
      return read;
    });
    const from = this.choose<Tree.Import["from"]>('a file such as `"./shared.peft"` or a part of `std`', [
      {
        ALT: () => {
          const { text, at } = this.SUBRULE(this.label);
          return { kind: "file", path: text, at };
        },
      },
      {
        ALT: () => {
          const from = this.start();
          const parts = [this.CONSUME1(Name).image];
          this.MANY(() => {
            this.CONSUME(Dot);
            parts.push(this.CONSUME2(Name).image);
          });
          return { kind: "std", path: parts.join("."), at: this.span(from) };
        },
      },
    ]);
    return { kind: "import", at: this.span(start), ...(names && { names }), from };
  });

  private readonly input_ = this.RULE("input_", (): Tree.Input => {
    const start = this.start();
    this.CONSUME(Input);
    const name = this.nameOf(this.CONSUME(Name));
    this.CONSUME(Colon);
    const type = this.nameOf(this.CONSUME1(Name));
    const value = this.OPTION(() => {
      this.CONSUME(Equals);
      return this.SUBRULE(this.expression);
    });
    return { kind: "input", at: this.span(start), ...this.doc(start), name, type, ...(value && { value }) };
  });

  private readonly base = this.RULE("base", (): Tree.Base => {
    const start = this.start();
    this.CONSUME(Base);
    const name = this.nameOf(this.CONSUME(Name));
    this.CONSUME(Equals);
    const source = this.SUBRULE(this.expression);
    const store =
      this.OPTION(() =>
        this.block(1, () => this.SUBRULE(this.store), { expected: "`store … as …`", commas: true, foreign: () => !this.next(Store) }),
      ) ?? [];
    return { kind: "base", at: this.span(start), ...this.doc(start), name, source, store };
  });

  private readonly store = this.RULE("store", (): Tree.Storage | undefined =>
    this.unit("storage is written `store layers.*.mlp.** as nf4(block: 64)`", () => this.SUBRULE(this.storage)),
  );

  private readonly storage = this.RULE("storage", (): Tree.Storage => {
    const start = this.start();
    this.CONSUME(Store);
    const paths = this.paths(1);
    this.word(1, As);
    const format = this.SUBRULE(this.expression);
    return { paths, format, at: this.span(start) };
  });

  private readonly adapter = this.RULE("adapter", (): Tree.Adapter => {
    const start = this.start();
    this.CONSUME(Adapter);
    const name = this.nameOf(this.CONSUME(Name));
    const { injections, block } = this.choose<Pick<Tree.Adapter, "injections" | "block">>("`=` or `{`", [
      {
        ALT: () => {
          this.CONSUME(Equals);
          return { injections: [this.SUBRULE(this.injection)], block: false };
        },
      },
      { ALT: () => ({ injections: this.SUBRULE(this.injections), block: true }) },
    ]);
    return { kind: "adapter", at: this.span(start), ...this.doc(start), name, injections, block };
  });

  private readonly injections = this.RULE("injections", (): Tree.Injection[] =>
    this.block(1, () => this.SUBRULE(this.injectionUnit), { expected: "a method and where it goes" }),
  );

  private readonly injectionUnit = this.RULE("injectionUnit", (): Tree.Injection | undefined =>
    this.unit("a line of an adapter is written `lora(r: 8) into tiny.layers.*.attn.{q, v}`", () => this.SUBRULE(this.injection)),
  );

  private readonly injection = this.RULE("injection", (): Tree.Injection => {
    const start = this.start();
    const method = this.SUBRULE(this.expression);
    this.slip(Into);
    const into =
      this.OPTION(() => {
        this.CONSUME(Into);
        return this.paths(1);
      }) ?? [];
    return { at: this.span(start), method, into };
  });

  private readonly data = this.RULE("data", (): Tree.Data => {
    const start = this.start();
    this.CONSUME(Data);
    const name = this.nameOf(this.CONSUME(Name));
    const entries = this.SUBRULE(this.entries);
    return { kind: "data", at: this.span(start), ...this.doc(start), name, entries };
  });

  private readonly train = this.RULE("train", (): Tree.Train => {
    const start = this.start();
    this.CONSUME(Train);
    const subject = this.nameOf(this.CONSUME(Name));
    const on = this.SUBRULE(this.on);
    const entries = this.block(1, () => this.SUBRULE(this.trainEntry), { expected: "an entry such as `epochs: 3`", commas: true });
    return { kind: "train", at: this.span(start), subject, on, entries };
  });

  private readonly trainEntry = this.RULE("trainEntry", (): Tree.TrainEntry | undefined =>
    this.unit(entryForm, () => {
      const start = this.start();
      const key = this.nameOf(this.CONSUME(Name));
      const sign = this.SUBRULE(this.sign);
      const value = this.SUBRULE(this.expression);
      const store = this.SUBRULE(this.storages);
      return { at: this.span(start), key, sign, value, ...(store.length > 0 && { store }) };
    }),
  );

  /** `store … as …` behind an entry, any number of times. */
  private readonly storages = this.RULE("storages", (): Tree.Storage[] => {
    const store: Tree.Storage[] = [];
    this.MANY({ GATE: () => this.asWord(), DEF: () => store.push(this.SUBRULE(this.storage)) });
    return store;
  });

  private readonly evaluate = this.RULE("evaluate", (): Tree.Evaluate => {
    const start = this.start();
    this.CONSUME(Evaluate);
    const subjects = [this.nameOf(this.CONSUME(Name))];
    this.MANY(() => {
      this.CONSUME(Comma);
      subjects.push(this.nameOf(this.CONSUME1(Name)));
    });
    const on = this.SUBRULE(this.on);
    const entries = this.OPTION(() => this.SUBRULE(this.entries)) ?? [];
    return { kind: "evaluate", at: this.span(start), subjects, on, entries };
  });

  private readonly sweep = this.RULE("sweep", (): Tree.Sweep => {
    const start = this.start();
    this.CONSUME(Sweep);
    const name = this.nameOf(this.CONSUME(Name));
    this.word(1, Over);
    const over = this.nameOf(this.CONSUME1(Name));
    const entries = this.SUBRULE(this.entries);
    return { kind: "sweep", at: this.span(start), name, over, entries };
  });

  private readonly compare = this.RULE("compare", (): Tree.Compare => {
    const start = this.start();
    this.CONSUME(Compare);
    const name = this.nameOf(this.CONSUME(Name));
    const on = this.SUBRULE(this.on);
    const entries = this.block(1, () => this.SUBRULE(this.candidate), { expected: "an entry", commas: true });
    return { kind: "compare", at: this.span(start), name, on, entries };
  });

  private readonly candidate = this.RULE("candidate", (): Tree.Compare["entries"][number] | undefined =>
    this.unit("a candidate is written `lora: menu` or `full: tune() into tiny.**`", () => {
      const start = this.start();
      const key = this.nameOf(this.CONSUME(Name));
      const sign = this.SUBRULE(this.sign);
      const value = this.SUBRULE(this.expression);
      this.slip(Into);
      const into = this.OPTION({
        GATE: () => this.asWord(),
        DEF: () => {
          this.CONSUME(Into);
          return this.paths(1);
        },
      });
      const store = this.SUBRULE(this.storages);
      return { at: this.span(start), key, sign, value, ...(into && { into }), ...(store.length > 0 && { store }) };
    }),
  );

  private readonly merge = this.RULE("merge", (): Tree.Merge => {
    const start = this.start();
    this.CONSUME(Merge);
    const subject = this.nameOf(this.CONSUME(Name));
    this.word(1, Into);
    const into = this.SUBRULE(this.expression);
    this.slip(As);
    const as = this.OPTION(() => {
      this.CONSUME(As);
      return this.SUBRULE1(this.expression);
    });
    return { kind: "merge", at: this.span(start), subject, into, ...(as && { as }) };
  });

  private readonly require = this.RULE("require", (): Tree.Require => {
    const start = this.start();
    this.CONSUME(Require);
    const constraints = this.block(1, () => this.SUBRULE(this.constraint), { expected: "a requirement", commas: true });
    return { kind: "require", at: this.span(start), constraints };
  });

  private readonly constraint = this.RULE("constraint", (): Tree.Constraint | undefined =>
    this.unit("a requirement is written `memory(train menu) <= 2 GiB`", () => {
      const start = this.start();
      const fact = this.nameOf(this.CONSUME(Name));
      const open = this.CONSUME(LeftParen);
      const first = this.nameOf(this.CONSUME1(Name));
      const second = this.OPTION(() => this.nameOf(this.CONSUME2(Name)));
      this.close(1, RightParen, open);
      const sign = this.LA(1);
      this.ACTION(() => {
        if (!comparisons.includes(sign.image as (typeof comparisons)[number]))
          this.abandon(
            this.unexpected(
              "`<`, `<=`, `>`, `>=` or `==`",
              sign,
              sign.tokenType === Equals ? { help: "equality is written `==`; `=` gives a value" } : {},
            ),
          );
      });
      const compare = this.CONSUME(Operator).image as Tree.Constraint["compare"];
      const bound = this.SUBRULE(this.expression, { ARGS: [this.aboveComparison] });
      return { at: this.span(start), fact, ...(second && { verb: first }), subject: second ?? first, compare, bound };
    }),
  );

  private readonly on = this.RULE("on", (): Tree.Path => {
    this.word(1, On);
    this.ACTION(() => {
      if (this.next(LeftBrace)) this.abandon(this.unexpected("the name of data", this.LA(1)));
    });
    return this.SUBRULE(this.path);
  });

  private readonly entries = this.RULE("entries", (): Tree.Entry[] =>
    this.block(1, () => this.SUBRULE(this.entry), { expected: "an entry such as `epochs: 3`", commas: true }),
  );
}
