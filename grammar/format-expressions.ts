// Expressions and paths as text. Parentheses stand where precedence needs them and, around operators and conditions, where the
// author put them.

import { type Doc, fill, group, hardline, indent, line, softline } from "./document.ts";
import { type Element, Margins } from "./margins.ts";
import { level, levelOf, unaryLevelOf } from "./operators.ts";
import type { Argument, Binary, Expr, If, Index, Name, NumberLit, Path, PathSegment } from "./tree.ts";

export abstract class ExpressionFormat extends Margins {
  protected expr(node: Expr): Doc {
    return [this.amid(this.firstWord(node)), this.withoutLead(node)];
  }

  private withoutLead(node: Expr): Doc {
    return this.kept(node) ? ["(", this.bare(node), ")"] : this.bare(node);
  }

  /** After `=` or `:`: on the same line if it fits there; else calls and lists break inside and the others move to the next line. */
  protected assigned(sign: string, node: Expr): Doc {
    const lead = this.before(this.firstWord(node));
    // A condition that moves puts its `else` on a line of its own, too.
    const value = node.kind === "if" && !this.kept(node) ? this.condition(node) : this.withoutLead(node);
    if (lead.length) return [sign, indent(hardline, lead, group(value))];
    return node.kind === "binary" || node.kind === "if" || node.kind === "unary" ? [sign, group(indent(line, value))] : [sign, " ", value];
  }

  protected name({ text, at }: Name): Doc {
    return [this.amid(at.start), text];
  }

  /** Where an expression starts, its parentheses left out: comments between them and it go before both. */
  private firstWord(node: Expr): number {
    let at = node.at.start;
    while (at < node.at.end && /[(\s]/.test(this.code[at]!)) at++;
    return at;
  }

  protected inner(node: Expr): Element["at"] {
    return { start: this.firstWord(node), end: node.at.end };
  }

  /** Comments between a thing and the `.` after it. */
  private spaced(offset: number): Doc {
    const comments = this.amid(offset);
    return comments.length ? [" ", comments] : "";
  }

  /** Whether the author put this in parentheses that say something. */
  private kept(node: Expr): boolean {
    return (node.kind === "binary" || node.kind === "if" || node.kind === "unary") && this.grouped(node);
  }

  private grouped(node: Expr): boolean {
    if (this.text[node.at.start] !== "(") return false;
    return !(node.kind === "binary" && node.left.at.start === node.at.start);
  }

  /** An operand: in parentheses unless `bare` would read the same. */
  protected operand(node: Expr, needs: boolean): Doc {
    return needs && !this.kept(node) ? [this.amid(this.firstWord(node)), "(", this.bare(node), ")"] : this.expr(node);
  }

  private bare(node: Expr): Doc {
    switch (node.kind) {
      case "number":
        return this.number(node);
      case "string":
        return quoted(node.value);
      case "ref":
        return node.name;
      case "ellipsis":
        return "..";
      case "list":
        return this.list(node.items, node.at.end, this.opening(node));
      case "unary": {
        const value = this.operand(node.value, levelOfExpr(node.value) < unaryLevelOf(node.op));
        return [node.op === "not" ? "not " : "-", value];
      }
      case "binary":
        return this.binary(node);
      case "if":
        return group(this.condition(node));
      case "call":
        return [this.head(node.callee), this.arguments(node.args, node.at.end)];
      case "member":
        return [this.head(node.of), this.spaced(node.name.at.start), ".", node.name.text];
      case "index":
        return [
          this.head(node.of),
          this.sequence(
            "[",
            node.items.map((item) => ({
              at: item.kind === "slice" ? item.at : this.inner(item),
              print: () => (item.kind === "slice" ? this.slice(item) : this.expr(item)),
            })),
            "]",
            node.at.end,
          ),
        ];
      case "every":
        return ["every ", this.expr(node.interval), node.keep ? [" keep ", this.expr(node.keep)] : ""];
      case "path":
        return this.path(node.path);
    }
  }

  private condition({ condition, then, otherwise }: If): Doc {
    const head = ["if ", this.expr(condition), " then ", indent(this.expr(then)), line, "else "];
    return [head, otherwise.kind === "if" ? this.expr(otherwise) : indent(this.expr(otherwise))];
  }

  /** What a call, a member or an index follows. */
  private head(node: Expr): Doc {
    const loose = node.kind === "binary" || node.kind === "unary" || node.kind === "if" || node.kind === "every";
    return this.operand(node, loose || node.kind === "number" || node.kind === "path");
  }

  protected arguments(args: readonly Argument[], end: number): Doc {
    const elements = args.map((arg) => ({ at: arg.name ? arg.at : this.inner(arg.value), print: () => this.argument(arg) }));
    return this.sequence("(", elements, ")", end);
  }

  private argument({ name, value }: Argument): Doc {
    return name ? [this.name(name), ": ", this.expr(value)] : this.expr(value);
  }

  protected list(items: readonly Expr[], end: number, open: "[" | "(" = "["): Doc {
    const elements = items.map((item) => ({ at: this.inner(item), print: () => this.expr(item) }));
    const numbers =
      items.length > 8 && items.every((item) => item.kind === "number" || (item.kind === "unary" && item.value.kind === "number"));
    if (!numbers || this.pending(end)) return this.sequence(open, elements, open === "[" ? "]" : ")", end);
    const parts = elements.flatMap((element, i) => [...(i ? [line] : []), [element.print(), i < elements.length - 1 ? "," : ""]]);
    return group("[", indent(softline, fill(parts)), softline, "]");
  }

  /** `(a, b)` and `[a, b]` are the same list; the author's spelling stays. */
  private opening(node: Extract<Expr, { kind: "list" }>): "[" | "(" {
    if (node.items.length < 2) return "[";
    let at = node.at.start;
    while (/[(\s]/.test(this.code[at] ?? "")) at++;
    return this.code[at] === "[" && node.items[0]!.at.start !== at ? "[" : "(";
  }

  private binary(node: Binary): Doc {
    // One group for a whole run of operators of the same level: `a + b - c` breaks before each or before none.
    const own = levelOf(node.op);
    const run: { readonly op: string; readonly right: Doc }[] = [];
    const chain: Binary[] = [];
    let left: Expr = node;
    while (
      left.kind === "binary" &&
      levelOf(left.op) === own &&
      own !== level.comparison &&
      own !== level.power &&
      (left === node || !this.kept(left))
    ) {
      chain.unshift(left);
      left = left.left;
    }
    if (!chain.length) {
      chain.push(node);
      left = node.left;
    }
    const first = this.operand(
      left,
      levelOfExpr(left) < own || (levelOfExpr(left) === own && (own === level.comparison || own === level.power)),
    );
    for (const { op, right } of chain) {
      const tight = levelOfExpr(right) < own || (levelOfExpr(right) === own && own !== level.power);
      const negated = own === level.power && right.kind === "unary" && right.op === "-";
      run.push({ op, right: this.operand(right, tight && !negated) });
    }
    return group(
      first,
      run.map(({ op, right }) => [line, op, " ", right]),
    );
  }

  protected number({ text, unit }: NumberLit): Doc {
    return unit ? (unit.text === "%" ? `${text}%` : `${text} ${unit.text}`) : text;
  }

  private slice({ from, to }: Extract<Index["items"][number], { kind: "slice" }>): Doc {
    return [from ? this.expr(from) : "", ":", to ? this.expr(to) : ""];
  }

  protected path({ segments }: Path): Doc {
    return segments.map((segment, i) => [
      i ? this.spaced(segment.at.start) : this.amid(segment.at.start),
      i ? "." : "",
      this.segment(segment),
    ]);
  }

  private segment(segment: PathSegment): Doc {
    switch (segment.kind) {
      case "name":
        return segment.text;
      case "index":
        return segment.to === undefined ? String(segment.from) : `${segment.from}..${segment.to}`;
      case "star":
        return "*";
      case "deep":
        return "**";
      case "choice":
        return this.sequence(
          "{",
          segment.options.map((option) => ({ at: option.at, print: () => option.text })),
          "}",
          segment.at.end,
        );
      case "checkpoint":
        return quoted(segment.pattern);
    }
  }
}

/** How tightly an expression holds together; whatever is no operator never needs parentheses. */
export const levelOfExpr = (node: Expr): number =>
  node.kind === "if"
    ? 0
    : node.kind === "binary"
      ? levelOf(node.op)
      : node.kind === "unary"
        ? unaryLevelOf(node.op)
        : Number.POSITIVE_INFINITY;

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\" };

/** A string as the language writes it; what no editor shows is written by its number. */
export const quoted = (value: string): string => {
  const inner = value.replace(
    /["\\]|[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u{feff}]/gu,
    (char) => escapes[char] ?? `\\u{${char.codePointAt(0)!.toString(16)}}`,
  );
  return `"${inner}"`;
};
