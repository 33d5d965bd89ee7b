// Tree in, text out: one spelling for every file. The text that comes out parses to the same tree, holds every comment, and is
// left alone when formatted again (spec/language/syntax-format.md).

import { type Doc, group, indent, join, layOut, line } from "./document.ts";
import { ExpressionFormat, levelOfExpr, quoted } from "./format-expressions.ts";
import type { Element } from "./margins.ts";
import { level } from "./operators.ts";
import type {
  Adapter,
  Candidate,
  Claim,
  ConfigKey,
  Expr,
  File,
  ForwardMember,
  Injection,
  InteropMember,
  Item,
  Member,
  Parameter,
  Path,
  StoredName,
} from "./tree.ts";

const WIDTH = 120;

/** Prints a file that parsed without errors. `text` is what it was parsed from: comments and author's choices are found there. */
export const format = (file: File, text: string): string => new Format(file, text).file(file);

class Format extends ExpressionFormat {
  file({ version, items, at }: File): string {
    const elements: Element[] = items.map((item) => ({
      at: item.at,
      print: () => this.item(item),
      apart: "members" in item || item.kind === "schedule",
    }));
    if (version) elements.unshift({ at: version.at, print: () => `peft ${version.value}`, apart: true });
    const lines = this.lines(elements, at.end + 1);
    return lines.length ? `${layOut(lines, WIDTH)}\n` : "";
  }

  private item(item: Item): Doc {
    switch (item.kind) {
      case "import": {
        const names = item.names?.map((name) => ({ at: name.at, print: () => this.name(name) }));
        const list = names ? [group("{", indent(line, this.separated(names, item.from.at.start)), line, "}"), " from "] : "";
        return [
          "import ",
          names?.length ? list : names ? "{} from " : "",
          this.amid(item.from.at.start),
          item.from.kind === "file" ? quoted(item.from.path) : item.from.path,
        ];
      }
      case "input":
        return ["input ", this.name(item.name), ": ", this.name(item.type), item.value ? this.assigned(" =", item.value) : ""];
      case "base": {
        const store: Element[] = item.store.map((entry) => ({
          at: entry.at,
          print: () => ["store ", this.paths(entry.paths), " as ", this.expr(entry.format)],
        }));
        return [
          "base ",
          this.name(item.name),
          this.assigned(" =", item.source),
          store.length ? [" ", this.block(store, item.at.end, true)] : "",
        ];
      }
      case "adapter":
        return ["adapter ", this.name(item.name), item.block ? this.injections(item) : this.injection(item.injections[0]!, true)];
      case "data":
        return ["data ", this.name(item.name), " ", this.entries(item.entries, item.at.end)];
      case "train":
        return ["train ", this.name(item.subject), " on ", this.path(item.on), " ", this.entries(item.entries, item.at.end)];
      case "evaluate": {
        const subjects = item.subjects.map((subject) => this.name(subject));
        const on = this.path(item.on);
        return ["evaluate ", join(subjects, ", "), " on ", on, item.entries.length ? [" ", this.entries(item.entries, item.at.end)] : ""];
      }
      case "sweep":
        return ["sweep ", this.name(item.name), " over ", this.name(item.over), " ", this.entries(item.entries, item.at.end)];
      case "compare":
        return ["compare ", this.name(item.name), " on ", this.path(item.on), " ", this.entries(item.entries, item.at.end)];
      case "merge":
        return ["merge ", this.name(item.subject), " into ", this.expr(item.into), item.as ? [" as ", this.expr(item.as)] : ""];
      case "require": {
        const constraints: Element[] = item.constraints.map(({ at, fact, verb, subject, compare, bound }) => ({
          at,
          print: () => [
            this.name(fact),
            "(",
            verb ? [this.name(verb), " "] : "",
            this.name(subject),
            ") ",
            compare,
            " ",
            this.bound(bound),
          ],
        }));
        return ["require ", this.block(constraints, item.at.end, true)];
      }
      case "module":
        return [
          "module ",
          this.name(item.name),
          this.parameters(item.parameters, item.name.at.end),
          this.claims(item.is),
          " ",
          this.members(item.members, item.at.end),
        ];
      case "interface":
        return [
          "interface ",
          this.name(item.name),
          this.parameters(item.parameters, item.name.at.end),
          " ",
          this.members(item.members, item.at.end),
        ];
      case "architecture": {
        const name = this.name(item.name);
        const classes = item.classes.map(({ text, at }) => [this.amid(at.start), quoted(text)]);
        const head = ["architecture ", name, " for ", join(classes, ", "), this.claims(item.is), " "];
        return [head, this.architecture(item.config, item.members, item.at.end)];
      }
      case "method": {
        const head = ["method ", this.name(item.name), this.parameters(item.parameters, item.name.at.end)];
        return [head, item.amends ? [" amends ", this.name(item.amends)] : " trains", " ", this.members(item.members, item.at.end)];
      }
      case "optimizer":
        return [
          "optimizer ",
          this.name(item.name),
          this.parameters(item.parameters, item.name.at.end),
          " ",
          this.members(item.members, item.at.end),
        ];
      case "format":
        return [
          "format ",
          this.name(item.name),
          this.parameters(item.parameters, item.name.at.end),
          " ",
          this.members(item.members, item.at.end),
        ];
      case "schedule":
        return ["schedule ", this.name(item.name), this.parameters(item.parameters, item.name.at.end), this.assigned(" =", item.value)];
    }
  }

  private injections({ injections, at }: Adapter): Doc {
    const elements = injections.map((injection) => ({ at: injection.at, print: () => this.injection(injection, false) }));
    return [" ", this.block(elements, at.end, false)];
  }

  private injection({ method, into }: Injection, assigned: boolean): Doc {
    return [assigned ? this.assigned(" =", method) : this.expr(method), into.length ? [" into ", this.paths(into)] : ""];
  }

  private claims(claims: readonly Claim[] | undefined): Doc {
    const printed = (claims ?? []).map(({ name, args, at }) =>
      args.length ? this.expr({ kind: "call", at, callee: { kind: "ref", at: name.at, name: name.text }, args }) : this.name(name),
    );
    return printed.length ? [" is ", join(printed, ", ")] : "";
  }

  private entries(entries: readonly Candidate[], end: number): Doc {
    return this.block(
      entries.map((entry) => ({ at: entry.at, print: () => this.entry(entry) })),
      end,
      true,
    );
  }

  private entry({ key, sign, value, into, store = [] }: Candidate): Doc {
    const assigned = [this.name(key), this.assigned(sign === ":" ? ":" : " =", value)];
    const stored = store.map((entry) => [line, "store ", this.paths(entry.paths), " as ", this.expr(entry.format)]);
    const placed = into ? [assigned, " into ", this.paths(into)] : assigned;
    return stored.length ? group([placed, indent(stored)]) : placed;
  }

  private paths(paths: readonly Path[]): Doc {
    const printed = paths.map((path) => this.path(path));
    return group(indent(join(printed, [",", line])));
  }

  /** A bound stands above comparisons, or in parentheses. */
  private bound(bound: Expr): Doc {
    return this.operand(bound, levelOfExpr(bound) <= level.comparison);
  }

  private parameters(parameters: readonly Parameter[], from: number): Doc {
    const end = this.closing(")", parameters.at(-1)?.at.end ?? from);
    const elements = parameters.map(({ at, name, type, value }) => ({
      at,
      print: () => [this.name(name), type ? [": ", this.name(type)] : "", value ? [" = ", this.expr(value)] : ""],
    }));
    return this.sequence("(", elements, ")", end);
  }

  /** Where a bracket closes, from a place with nothing but blanks, commas and comments before it. */
  private closing(bracket: ")" | "]" | "}", from: number): number {
    return Math.max(from, this.code.indexOf(bracket, from) + 1);
  }

  private shape(shape: readonly Expr[], from: number): Doc {
    return this.list(shape, this.closing("]", shape.at(-1)?.at.end ?? from));
  }

  // ---- members --------------------------------------------------------------------------------------------------------

  private members(members: readonly Member[], end: number): Doc {
    return this.block(members.map(this.element), end, false);
  }

  private readonly element = (member: Member): Element => ({ at: member.at, print: () => this.member(member) });

  /** Keys of config.json and members in the order they were written; neighbouring keys share a block. */
  private architecture(config: readonly ConfigKey[], members: readonly Member[], end: number): Doc {
    const elements: Element[] = [];
    const parts = [...config.map((key) => ({ key, at: key.at })), ...members.map((member) => ({ member, at: member.at }))];
    parts.sort((a, b) => a.at.start - b.at.start);
    let keys: ConfigKey[] = [];
    const close = (): void => {
      const [first] = keys;
      const last = keys.at(-1);
      if (first && last) elements.push(this.config(keys, { start: this.configWord(first), end: this.closing("}", last.at.end) }));
      keys = [];
    };
    for (const part of parts) {
      if ("key" in part) keys.push(part.key);
      else {
        close();
        elements.push(this.element(part.member));
      }
    }
    close();
    return this.block(elements, end, false);
  }

  private configWord(first: ConfigKey): number {
    return Math.max(0, this.code.lastIndexOf("config", this.code.lastIndexOf("{", first.at.start)));
  }

  private config(keys: readonly ConfigKey[], at: Element["at"]): Element {
    const elements = keys.map((key) => ({ at: key.at, print: () => this.configKey(key) }));
    return { at, print: () => ["config ", this.block(elements, at.end - 1, true)] };
  }

  private configKey({ name, optional, type, paths, value }: ConfigKey): Doc {
    const head = [this.name(name), optional ? "?: " : ": "];
    const kind =
      "oneOf" in type
        ? join(
            type.oneOf.map((literal) => this.expr(literal)),
            " | ",
          )
        : this.name(type);
    const where = paths.map(({ text, at }, i) => [i ? " or " : " @ ", this.amid(at.start), quoted(text)]);
    return [head, kind, where, value ? this.assigned(" =", value) : ""];
  }

  private member(member: Member): Doc {
    switch (member.kind) {
      case "param": {
        const names = member.names.map((name) => this.name(name));
        const shape = this.shape(member.shape, (member.type ?? member.names.at(-1)!).at.end);
        const type = member.type ? [this.name(member.type), " "] : "";
        const when = member.when ? [line, "when ", this.expr(member.when)] : "";
        const draw = member.draw ? [line, "~ ", this.expr(member.draw)] : "";
        const value = member.value ? [line, "= ", this.expr(member.value)] : "";
        const words = [...member.modifiers, "param "].join(" ");
        return group(words, join(names, ", "), member.optional ? "?: " : ": ", type, shape, indent(draw, value, when));
      }
      case "point": {
        const names = member.names.map((name) => this.name(name));
        const shape = member.shape ? [": ", this.shape(member.shape, member.names.at(-1)!.at.end)] : "";
        return ["point ", join(names, ", "), shape];
      }
      case "each":
        return ["each ", this.name(member.module), " ", this.members(member.members, member.at.end)];
      case "let":
        return ["let ", this.name(member.name), this.assigned(" =", member.value)];
      case "state":
        return [
          "state ",
          this.name(member.name),
          member.shape ? [": ", this.shape(member.shape, member.name.at.end)] : "",
          this.assigned(" =", member.value),
        ];
      case "observe":
        return ["observe ", this.name(member.name), ": ", this.shape(member.shape, member.name.at.end), this.assigned(" =", member.value)];
      case "measure": {
        const bounds = [this.expr(member.least), "..", this.expr(member.most)];
        const when = member.when ? [line, "when ", this.expr(member.when)] : "";
        return group("measure ", this.name(member.name), ": ", bounds, indent(line, "= ", this.expr(member.value), when));
      }
      case "needs":
        return group("needs ", this.expr(member.condition));
      case "bind": {
        const target = member.target.map((name) => this.name(name));
        return [join(target, "."), this.assigned(` ${member.sign}`, member.value)];
      }
      case "child":
        return this.child(member);
      case "forward":
        return this.forward(member);
      case "interop":
        return this.interop(member);
    }
  }

  private child(member: Extract<Member, { kind: "child" }>): Doc {
    const { name, optional, repeat, module, checkpoint, named, transposed, when, ties } = member;
    const head = [this.name(name), optional ? "? = " : " = "];
    const repeated = repeat
      ? [repeat.stacked ? "stacked " : "", "repeat ", this.expr(repeat.count), " as ", this.name(repeat.index), ":", line]
      : "";
    const call = this.expr(module);
    const label = ({ at, text }: StoredName): Doc => [this.amid(at.start), quoted(text)];
    const where = checkpoint ? [line, "@ ", ...checkpoint.flatMap((one, i) => [i > 0 ? " ++ " : "", label(one)])] : "";
    const running = named ? [line, named.kind === "module" ? "named " : "parameter ", label(named)] : "";
    const flipped = transposed ? [line, "transposed"] : "";
    const there = when ? [line, "when ", this.expr(when)] : "";
    const tied = ties.map((tie) => [
      line,
      "tied ",
      this.name(tie.param),
      " = ",
      this.expr(tie.to),
      tie.when ? [" when ", this.expr(tie.when)] : "",
    ]);
    return group(
      head,
      repeat ? indent(repeated, call, where, running, flipped, there, tied) : [call, indent(where, running, flipped, there, tied)],
    );
  }

  private forward({ at, inputs, output, lets, value }: ForwardMember): Doc {
    const elements = inputs.map((input) => ({
      at: input.at,
      print: () => {
        const type = input.type ? [this.name(input.type), " "] : "";
        return [this.name(input.name), input.shape ? [": ", type, this.shape(input.shape, (input.type ?? input.name).at.end)] : ""];
      },
    }));
    const end = this.closing(")", inputs.at(-1)?.at.end ?? at.start);
    const head = ["forward", this.sequence("(", elements, ")", end), output ? [" -> ", this.shape(output, end)] : ""];
    if (!lets.length) return [head, this.assigned(" =", value)];
    const body = [...lets.map(this.element), { at: this.inner(value), print: () => this.expr(value) }];
    return [head, " ", this.block(body, at.end, false)];
  }

  private interop({ at, library, type, config, tensors }: InteropMember): Doc {
    const head = ["interop ", this.name(library), " ", this.amid(type.at.start), quoted(type.text), " "];
    const entries: Element[] = [
      ...config.map((entry) => ({ at: entry.at, print: () => this.entry(entry) })),
      ...tensors.map((tensor) => ({ at: tensor.at, print: () => [quoted(tensor.key), this.assigned(":", tensor.value)] })),
    ];
    entries.sort((a, b) => a.at.start - b.at.start);
    return [head, this.block(entries, at.end, true)];
  }
}
