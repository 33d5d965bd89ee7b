// The parser on texts with known trees and known mistakes.

import { parse } from "../../grammar/parse.ts";
import { PeftParser } from "../../grammar/pipeline.ts";
import { scan } from "../../grammar/tokens.ts";
import type { Expr, Item, Path, PathSegment } from "../../grammar/tree.ts";
import { assert, group } from "../harness.ts";
import { bare, texts } from "./texts.ts";

const clean = (text: string) => {
  const { file, diagnostics } = parse(text, "x.peft");
  assert.equal(diagnostics, [], text);
  return file;
};

const item = <K extends Item["kind"]>(text: string, kind: K): Extract<Item, { kind: K }> => {
  const [first, ...more] = clean(text).items;
  assert.is(first?.kind, kind);
  assert.is(more.length, 0);
  return first as Extract<Item, { kind: K }>;
};

/** An expression as fully parenthesised prefix text. */
const shown = (node: Expr): string => {
  switch (node.kind) {
    case "number":
      return node.text + (node.unit ? `_${node.unit.text}` : "");
    case "string":
      return JSON.stringify(node.value);
    case "ref":
      return node.name;
    case "ellipsis":
      return "..";
    case "list":
      return `[${node.items.map(shown).join(" ")}]`;
    case "unary":
      return `(${node.op} ${shown(node.value)})`;
    case "binary":
      return `(${node.op} ${shown(node.left)} ${shown(node.right)})`;
    case "if":
      return `(if ${shown(node.condition)} ${shown(node.then)} ${shown(node.otherwise)})`;
    case "call":
      return `${shown(node.callee)}(${node.args.map((arg) => (arg.name ? `${arg.name.text}:` : "") + shown(arg.value)).join(" ")})`;
    case "member":
      return `${shown(node.of)}.${node.name.text}`;
    case "index":
      return `${shown(node.of)}[${node.items
        .map((i) => (i.kind === "slice" ? `${i.from ? shown(i.from) : ""}:${i.to ? shown(i.to) : ""}` : shown(i)))
        .join(" ")}]`;
    case "every":
      return `(every ${shown(node.interval)}${node.keep ? ` ${shown(node.keep)}` : ""})`;
    case "path":
      return `<${pathShown(node.path)}>`;
  }
};
const pathShown = (path: Path): string => path.segments.map(segmentShown).join(" ");
const segmentShown = (segment: PathSegment): string => {
  switch (segment.kind) {
    case "name":
      return segment.text;
    case "index":
      return segment.to === undefined ? `#${segment.from}` : `#${segment.from}-${segment.to}`;
    case "star":
      return "*";
    case "deep":
      return "**";
    case "choice":
      return `{${segment.options.map((option) => option.text).join(" ")}}`;
    case "checkpoint":
      return JSON.stringify(segment.pattern);
  }
};
const expression = (text: string): string => shown(item(`schedule s() = ${text}`, "schedule").value);

/** Codes and marked texts of the mistakes in a text. */
const mistakes = (text: string): string[] =>
  parse(text, "x.peft").diagnostics.map(({ code, at }) => `${code} ${JSON.stringify(text.slice(at!.start, at!.end))}`);

group("parse", (test) => {
  for (const { path, text } of texts()) test(`${path} has no mistakes`, () => void clean(text));

  test("Chevrotain finds nothing wrong with the grammar, and its own lookahead gives the same trees", () => {
    // Its validation wants a newer Object.groupBy than our oldest Node has.
    const groupBy = <T>(items: Iterable<T>, keyOf: (item: T) => PropertyKey): Record<PropertyKey, T[]> => {
      const groups: Record<PropertyKey, T[]> = {};
      for (const one of items) {
        const key = keyOf(one);
        groups[key] = [...(groups[key] ?? []), one];
      }
      return groups;
    };
    if (!("groupBy" in Object)) Object.defineProperty(Object, "groupBy", { value: groupBy, configurable: true });
    const careful = new PeftParser();
    for (const { path, text } of texts()) {
      assert.equal(bare(careful.parse(scan(text, path)).file), bare(parse(text, path).file), path);
      const cut = text.slice(0, text.length / 2);
      const half = scan(cut, path);
      const codes = (found: readonly { code: string }[]) => found.map(({ code }) => code).sort();
      assert.equal(codes([...half.diagnostics, ...careful.parse(half).diagnostics]), codes(parse(cut, path).diagnostics), path);
    }
  });

  test("precedence", () => {
    assert.is(expression("a or b and not c == d"), "(or a (and b (not (== c d))))");
    assert.is(expression("a ++ b + c * d @ e - f"), "(++ a (- (+ b (@ (* c d) e)) f))");
    assert.is(expression("-a ^ b"), "(- (^ a b))");
    assert.is(expression("a ^ -b ^ c * d"), "(* (^ a (- (^ b c))) d)");
    assert.is(expression("-a * b - -c"), "(- (* (- a) b) (- c))");
    assert.is(expression("a + not b and c"), "(and (+ a (not b)) c)");
    assert.is(expression("(alpha / r) * b @ a"), "(@ (* (/ alpha r) b) a)");
    assert.is(expression("if a < b then c else if d then e else f + g"), "(if (< a b) c (if d e (+ f g)))");
    assert.is(expression("f(x, k: -1).T[:, 1:, :2, none, 0](y)"), "f(x k:(- 1)).T[: 1: :2 none 0](y)");
    assert.is(expression("(a, b) ++ [..]"), "(++ [a b] [..])");
    assert.is(expression("every 200 steps keep 2"), "(every 200_steps 2)");
    assert.is(expression("every + keep"), "(+ every keep)");
  });

  test("units, and words that only look like one", () => {
    assert.is(expression("[3%, 3 %, 2GiB, 2 GiB, 500 steps, 1_000 tokens]"), "[3_% 3_% 2_GiB 2_GiB 500_steps 1_000_tokens]");
    const { entries } = item("data d { r: 8 tokens: 4 rows = 5 epochs\n: 6 steps }", "data");
    assert.equal(
      entries.map(({ key, value }) => `${key.text} ${shown(value)}`),
      ["r 8", "tokens 4", "rows 5", "epochs 6_steps"],
    );
    const { members } = item("optimizer o() { state m = 0 step = 1 step += 2 }", "optimizer");
    assert.equal(
      members.map(({ kind }) => kind),
      ["state", "bind", "bind"],
    );
  });

  test("strings", () => {
    assert.is(expression('"a\\n\\t\\r\\"\\\\\\u{1f600}{x} // é"'), JSON.stringify('a\n\t\r"\\\u{1f600}{x} // é'));
    assert.equal(mistakes('merge a into "a\\q\\u{110000}b"'), ['PEFT0103 "\\\\q"', 'PEFT0103 "\\\\u{110000}"']);
  });

  test("paths", () => {
    const { injections } = item('adapter a = m() into t.layers.4..7.{q, v}.**.3.4, *."x.*".0..1.2..3, t', "adapter");
    const { into } = injections[0]!;
    assert.equal(into.map(pathShown), ["t layers #4-7 {q v} ** #3 #4", '* "x.*" #0-1 #2-3', "t"]);
    assert.is(expression("f(a.b.*.c, **.d, e.4..5) + g.{h}"), "(+ f(<a b * c> <** d> <e #4-5>) <g {h}>)");
    const { entries } = item("compare c on d { full: tune() into t.**, t.head, lora: menu }", "compare");
    assert.equal(
      entries.map(({ key, into: paths }) => [key.text, ...(paths ?? []).map(pathShown)]),
      [["full", "t **", "t head"], ["lora"]],
    );
  });

  test("a bracket that begins a line begins something new", () => {
    const [first, second] = item(
      "module M() {\n forward(x) {\n let y = x\n (y)\n }\n forward(x) { let y = x\n - a\n .b\n y } }",
      "module",
    ).members;
    assert.ok(first?.kind === "forward" && second?.kind === "forward");
    assert.equal([shown(first.lets[0]!.value), shown(first.value)], ["x", "y"]);
    assert.is(shown(second.lets[0]!.value), "(- x a.b)");
  });

  test("documentation is what stands right above", () => {
    const { items, comments } = clean("/// far\n\n/// one\n///  two\n// no\ndata a {} /// beside\ndata b {}\n/// c\nmodule C() {}");
    assert.equal(
      items.map((it) => ("doc" in it ? it.doc : undefined)),
      ["one\n two", undefined, "c"],
    );
    assert.is(comments.length, 6);
  });

  test("words are names where a name can stand", () => {
    for (const word of "peft base data train on as into in r format step state every keep repeat tied when config forward let param".split(
      " ",
    )) {
      clean(`data ${word} { ${word} = ${word}.${word}(${word}: ${word}) }`);
      clean(`method ${word}(${word}: int = ${word}) amends ${word} { ${word} = ${word} + 1 ${word}.grad += 2 }`);
      const module = word === "repeat" ? "Other" : word; // `x = repeat …` repeats
      clean(`module m(${word}: int) { ${word} = ${module}(${word}) param ${word}: [${word}] }`);
    }
  });

  test("spans mark what they name", () => {
    const text = "adapter menu = (lora(r: 8) + 1) into tiny.layers.{q, v}";
    const { name, injections } = item(text, "adapter");
    const { method, into } = injections[0]!;
    const at = ({ at: { start, end } }: { at: { start: number; end: number } }) => text.slice(start, end);
    assert.equal([name, method, into[0]!, into[0]!.segments[2]!].map(at), ["menu", "(lora(r: 8) + 1)", "tiny.layers.{q, v}", "{q, v}"]);
    assert.ok(method.kind === "binary");
    assert.equal([method.left, method.right].map(at), ["lora(r: 8)", "1"]);
  });

  test("an adapter is one injection, or a block of them", () => {
    const { injections, block } = item("adapter a { m(r: 8) into t.x, t.y n() into t.z load(d) }", "adapter");
    assert.is(block, true);
    assert.equal(
      injections.map(({ method, into }) => [method.kind, into.map(pathShown)]),
      [
        ["call", ["t x", "t y"]],
        ["call", ["t z"]],
        ["call", []],
      ],
    );
    assert.equal([item("adapter a = m()", "adapter").block, item("adapter a {}", "adapter").injections.length], [false, 0]);
  });

  test("one slip is one mistake, and the item is there", () => {
    const cases: [string, string][] = [
      ["adaptor menu = lora(r: 8) into t.x", 'PEFT0108 "adaptor"'],
      ["adapter menu = lora(r = 8) into t.x", 'PEFT0110 "="'],
      ["adapter menu = lora(r: 8 alpha: 16) into t.x", 'PEFT0100 "alpha"'],
      ["adapter menu = lora(r: 8) int t.x", 'PEFT0100 "int"'],
      ["adapter menu { lora(r: 8) int t.x }", 'PEFT0100 "int"'],
      ["adapter menu = lora(r: 8 into t.x\nmerge a into b", 'PEFT0106 "("'],
      ["train menu n orders { epochs: 3 }", 'PEFT0100 "n"'],
      ["train menu on orders {\n epochs: 3\n\nmerge a into b", 'PEFT0106 "{"'],
      ["train menu on orders\n epochs: 3\n}", 'PEFT0100 ""'],
      ["data d { a = 'x' }", "PEFT0113 \"'x'\""],
      ["data d { a = 2 Gib }", 'PEFT0105 "Gib"'],
      ['data d { a = "x }', 'PEFT0102 "\\"x }"'],
      ["method m() amend Linear { w = 1 }", 'PEFT0100 "amend"'],
      ["method m() trains { parm w: [1] }", 'PEFT0100 "parm"'],
      ["schedule s() = a && b", 'PEFT0113 "&&"'],
      ["merge a into b;", 'PEFT0101 ";"'],
    ];
    for (const [text, mistake] of cases) {
      assert.equal(mistakes(text), [mistake], text);
      assert.ok(parse(text, "x.peft").file.items.length >= 1, text);
    }
  });

  test("several mistakes come out in one run, and what is right between them is read", () => {
    const text = `peft 1
train menu on orders {
  epochs 3
  seed: 7
  schedule: cosine(warmup: )
  packing: true
}
merge menu inot "m"
module M(a: int) {
  q = Linear(a a) @ "q"
  k = a + 1
  v = Linear(a, a)
  forward(x) = q(x) +
}
merge menu into "n"
`;
    assert.equal(mistakes(text), ['PEFT0100 "3"', 'PEFT0100 ")"', 'PEFT0100 "inot"', 'PEFT0100 "a"', 'PEFT0100 "+"', 'PEFT0100 ""']);
    const [train, merge, module, last] = parse(text, "x.peft").file.items;
    assert.ok(train?.kind === "train" && merge?.kind === "merge" && module?.kind === "module" && last?.kind === "merge");
    assert.equal(
      train.entries.map(({ key }) => key.text),
      ["seed", "packing"],
    );
    assert.equal(
      module.members.map((member) => "name" in member && member.name.text),
      ["q", "v"],
    );
  });

  test("every mistake says what to do", () => {
    const { diagnostics } = parse("adapter menu lora(r: 8) into t.x", "x.peft");
    assert.is(diagnostics[0]?.message, "expected `=` or `{`, found `lora`");
    assert.is(diagnostics[0]?.help, "an adapter is written `adapter menu = lora(r: 8) into tiny.layers.*.attn.{q, v}`");
    const [near] = parse("merge a inot b", "x.peft").diagnostics;
    assert.is(near?.help, "did you mean `into`?");
    assert.equal(near?.fixes, [{ at: { file: "x.peft", start: 8, end: 12 }, insert: "into", title: "write `into`" }]);
  });
});
