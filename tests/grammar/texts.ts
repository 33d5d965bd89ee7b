// Texts the grammar's tests share: every .peft file of the repository, one pipeline with everything in it, and random valid texts.

import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import type { File } from "../../grammar/tree.ts";

const root = new URL("../../", import.meta.url);

/** Every .peft file of stdlib/ and examples/, and `pipeline`. */
export const texts = (): { readonly path: string; readonly text: string }[] => {
  const paths = ["stdlib", "examples"].flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".peft"))
      .map((path) => `${folder}/${path}`),
  );
  const files = paths.sort().map((path) => ({ path, text: readFileSync(new URL(path, root), "utf8") }));
  return [...files, { path: "pipeline.peft", text: pipeline }, { path: "definitions.peft", text: definitions }];
};

/** A tree without its places: what must survive formatting. */
export const bare = (file: File): unknown => {
  const { comments, ...rest } = file;
  return JSON.parse(JSON.stringify(rest, (key, value) => (key === "at" ? undefined : value)));
};

export const pipeline = `peft 1                                         // language version

import "./shared.peft"
import { lora, dora } from std.methods
input rank: int = 8

base tiny = checkpoint("base/") {              // a Hugging Face folder
  store layers.*.{attn, mlp}.** as nf4(block: 64, double: true)
  store "lm_head.weight", layers.0..3.mlp.up as int8()
}

adapter menu = lora(r: rank, alpha: 16, dropout: 0.05) into tiny.layers.*.attn.{q, v}, tiny.head
adapter bias = tune() into tiny.**.bias        // selective
adapter old = load("dir/")
adapter mixed {                                // several injections under one name
  lora(r: 8) into tiny.layers.*.attn.{q, v}
  tune() into tiny.**.bias, tiny.head          // beside
}
adapter one = lora() into tiny.layers.4.5.attn, tiny."model.layers.*.self_attn.q_proj"

data orders {
  train  = jsonl("train.jsonl")
  eval   = jsonl("eval.jsonl")
  prompt = "{slots}\\n\\t\\"\\u{e9}\\\\"
  answer = "{text}"
}

train menu on orders {
  optimizer: adamw(learning_rate: 2e-4, weight_decay: 0.01)
  schedule: cosine(warmup: 3%)
  epochs: 3
  tokens: 1_000_000
  packing: true
  checkpoint: every 200 steps keep 2
}

evaluate menu, tiny on orders.eval {
  generate: beam(width: 4, max_new_tokens: 64)
  metrics: [loss, rouge, bleu]
}

sweep ranks over menu { r: [1, 2, 4, 8, 16, 32, 64] }
compare families on orders { full: tune() into tiny.**, tiny.head, lora: menu,  soft: soft }
merge menu into "merged/" as f16

require {
  trainable(menu) <= 1%
  memory(train menu) <= 2 GiB
  file(menu) < 10 MB
}
`;

export const definitions = `module Linear(in: int, out: int, bias: bool = false) {
  param weight: [out, in]
  param bias?: [out]
  forward(x: [.., in]) -> [.., out] = x @ weight.T + bias
}

method dora(r: int = 8, alpha: float = r, dropout: float = 0) amends Linear {
  param a: [r, in] ~ uniform(-1/sqrt(in), 1/sqrt(in))
  frozen param b: [out, r] ~ zeros
  shared frozen param c: []
  param m: [out]   = norm(base.weight, axis: 1)                 // from the init graph
  let v = base.weight + (alpha / r) * b @ a
  let c = m / stop_gradient(norm(merged(v), axis: 1))
  weight = base.weight + branch(c[:, none] * v - base.weight, dropout(p: dropout))
  b.grad = 0
  loss += m[0, 1:3, 2:]
  interop peft "LORA" { r: r, lora_alpha: alpha
                        "lora_A.weight": a "lora_B.weight": b }
}

method prefix(tokens: int = 20) amends Attention {
  param pk, pv: [tokens, kv_heads, head_dim] ~ normal(0.02)
  memory = base.memory ++ (pk, pv)
}

method prompt(tokens: int = 20, init = random) amends Sequence {
  param rows: [tokens, hidden] ~ init
  sequence = prepend(base.sequence, rows)
}

/// What mixes positions.
interface Attention(hidden: int, heads: int) {
  q? = Linear(hidden, hidden)
  out = Linear(hidden, hidden)
  param bias?: [hidden]
  point key, value: [.., heads, hidden / heads]
  point memory // a list
}
module Fused(width: int) is Attention(hidden: width, heads: 1), Norm { forward(x, ids: int [..]) = x }
architecture other for "C" is Sequence(hidden: n) { config { n: int } forward(sequence) = sequence.ids }
method deep(point: int, each: int) amends Sequence {
  positions = base.positions + point
  each Attention {
    param k: [each]
    memory = base.memory ++ [(k, k)]
  }
}

method bottleneck(reduction: int = 16, act = relu) amends Block {
  let h = hidden / reduction
  param down: [h, hidden] ~ normal(0.02)    param up: [hidden, h] ~ zeros
  mlp_delta = base.mlp_delta + act(base.mlp_delta @ down.T) @ up.T
}

format nf4(block: int = 64, double: bool = false) { codebook = [-1.0, -0.6961928, 0, 1] }

architecture some for "A", "B" {
  config { n: int  m?: int = 4 * n  eps: float = 1e-6, act: "silu" | "gelu" = "silu", none_yet?: none, on: true = true }
  embed = Embedding(n, m) @ "wte"
  layers = repeat n as i: Block(n) @ "h.{i}" transposed
  head = Linear(n, m) tied weight = embed.weight when on
  forward(sequence) -> [.., n] { head(layers(embed(sequence.ids))) }
}
`;

// ---- random texts ---------------------------------------------------------------------------------------------------

/** Stands for "nothing may come between": before a call's or an index's bracket. */
const glue = "\u0000";
type Words = readonly string[];

const name = fc.constantFrom("a", "b", "in", "base", "r", "p", "x1", "weight", "T", "out_proj", "lora", "none", "true");
const number = fc.constantFrom("3", "0", "2e-4", "0.05", "1_000_000", "3%", "2 GiB", "500 steps", "1 epoch");
const string = fc.constantFrom('"a"', '""', '"{x}\\n"', '"\\u{1f600}\\\\"', '"é \\""', '"// no comment"');
const whole = fc.constantFrom("0", "4", "17");
const key = fc.constantFrom("seed", "data", "train", "format", "state", "on", "as", "input");

const words = (...parts: fc.Arbitrary<Words>[]): fc.Arbitrary<Words> => fc.tuple(...parts).map((all) => all.flat());
const say = (...text: string[]): fc.Arbitrary<Words> => fc.constant(text);
const one = (text: fc.Arbitrary<string>): fc.Arbitrary<Words> => text.map((word) => [word]);
const maybe = (arbitrary: fc.Arbitrary<Words>): fc.Arbitrary<Words> => fc.oneof(say(), arbitrary);
const some = (arbitrary: fc.Arbitrary<Words>, separator: Words, minLength = 0): fc.Arbitrary<Words> =>
  fc.array(arbitrary, { minLength, maxLength: 3 }).map((all) => all.flatMap((part, i) => (i ? [...separator, ...part] : part)));

const segment = fc.oneof(
  one(name),
  one(whole),
  one(string),
  say("*"),
  say("**"),
  words(one(whole), say(".."), one(whole)),
  words(say("{"), some(one(name), [","], 1), say("}")),
);
const path: fc.Arbitrary<Words> = words(fc.oneof(say("*"), say("**"), one(whole)), maybe(words(say("."), segment)));
const { expr } = fc.letrec<Record<"expr" | "operand" | "chain" | "head" | "call", Words>>((tie) => ({
  expr: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("operand"),
    tie("chain"),
    words(say("if"), tie("expr"), say("then"), tie("expr"), say("else"), tie("expr")),
    words(tie("chain"), one(fc.constantFrom("<", "<=", "==", "!=")), tie("operand")).map((all) => ["(", ...all, ")"]),
  ),
  chain: words(
    maybe(one(fc.constantFrom("-", "not"))),
    tie("operand"),
    fc
      .array(
        words(
          one(fc.constantFrom("+", "-", "*", "/", "@", "^", "++", "and", "or")),
          maybe(one(fc.constantFrom("-", "not"))),
          tie("operand"),
        ),
        {
          maxLength: 4,
        },
      )
      .map((all) => all.flat()),
  ),
  operand: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    one(name),
    one(number),
    one(string),
    tie("head"),
    words(say("("), tie("expr"), say(")")),
    words(say("["), some(fc.oneof(tie("expr"), say("..")), [","]), say("]")),
    words(say("("), tie("expr"), say(","), tie("expr"), say(")")),
    words(say("every"), one(number), maybe(words(say("keep"), one(number)))),
    words(one(name), say("."), path),
    words(say("**", "."), one(name)),
  ),
  head: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    one(name),
    tie("call"),
    words(say("("), tie("expr"), say(")", ".", "T")),
    words(tie("head"), say("."), one(name)),
    words(
      tie("head"),
      say(glue, "["),
      some(fc.oneof(tie("expr"), words(maybe(one(name)), say(":"), maybe(tie("expr")))), [","], 1),
      say("]"),
    ),
  ),
  call: words(tie("head"), say(glue, "("), some(words(maybe(words(one(name), say(":"))), tie("expr")), [","]), say(")")),
}));
const pathOf = words(
  one(name),
  fc.array(segment, { maxLength: 3 }).map((all) => all.flatMap((part) => [".", ...part])),
);
const paths = some(pathOf, [","], 1);
const called = words(one(name), say(glue, "("), some(words(one(name), say(":"), expr), [","]), say(")"));

const block = (element: fc.Arbitrary<Words>, separators: readonly Words[] = [[], [","]]): fc.Arbitrary<Words> =>
  fc
    .tuple(fc.array(element, { maxLength: 4 }), fc.constantFrom(...separators))
    .map(([all, separator]) => ["{", ...all.flatMap((part, i) => (i ? [...separator, ...part] : part)), "}"]);
const entry = words(one(key), one(fc.constantFrom(":", "=")), expr);
const entries = block(entry);
const parameters = words(say("("), some(words(one(name), maybe(say(":", "int")), maybe(words(say("="), expr))), [","]), say(")"));
const shape = words(say("["), some(expr, [","]), say("]"));
const param = words(
  fc.constantFrom<Words>([], ["frozen"], ["shared", "frozen"]),
  say("param"),
  some(one(name), [","], 1),
  fc.constantFrom<Words>([":"], ["?", ":"], [":", "int"]),
  shape,
  maybe(words(say("~"), called)),
  maybe(words(say("="), expr)),
  maybe(words(say("when"), expr)),
);
const letMember = words(say("let"), one(name), say("="), expr);
const needs = words(say("needs"), expr);
const bound = fc.oneof(one(fc.constantFrom("0", "1", "most")), called);
const measure = words(say("measure"), one(name), say(":"), bound, say(".."), bound, say("="), expr, maybe(words(say("when"), expr)));
const observe = words(say("observe"), one(name), say(":"), shape, say("="), expr);
const bind = words(some(one(name), ["."], 1), one(fc.constantFrom("=", "+=")), expr);
const child = words(
  one(name),
  say("="),
  maybe(words(say("repeat"), expr, say("as", "i", ":"))),
  called,
  maybe(words(say("@"), one(string))),
  maybe(say("transposed")),
  maybe(words(say("tied", "w", "="), expr, maybe(words(say("when"), expr)))),
);
const forward = words(
  say("forward", "("),
  some(words(one(name), maybe(words(say(":"), shape))), [","]),
  say(")"),
  maybe(words(say("->"), shape)),
  fc.oneof(words(say("="), expr), words(say("{"), some(letMember, []), one(name), say(glue, "("), expr, say(")", "}"))),
);
const interop = words(say("interop", "peft"), one(string), block(fc.oneof(entry, words(one(string), say(":"), expr))));
const configKey = words(
  one(name),
  maybe(say("?")),
  say(":"),
  fc.constantFrom<Words>(["int"], ["none"], ['"a"', "|", '"b"'], ["-", "1"], ["true", "|", "2"]),
  maybe(words(say("="), expr)),
);
const moduleBody = block(fc.oneof(param, letMember, child, forward), [[]]);

const item: fc.Arbitrary<Words> = fc.oneof(
  words(say("import", "{"), some(one(name), [","], 1), say("}", "from", "std", ".", "methods")),
  words(say("import"), one(string)),
  words(say("input"), one(name), say(":", "int"), maybe(words(say("="), expr))),
  words(say("base"), one(name), say("="), called, maybe(block(words(say("store"), paths, say("as"), expr), [[]]))),
  words(say("adapter"), one(name), say("="), called, maybe(words(say("into"), paths))),
  words(say("adapter"), one(name), block(words(called, say("into"), paths), [[]])),
  words(say("data"), one(name), entries),
  words(say("train"), one(name), say("on"), pathOf, entries),
  words(say("evaluate"), some(one(name), [","], 1), say("on"), pathOf, maybe(entries)),
  words(say("sweep"), one(name), say("over"), one(name), entries),
  words(say("compare"), one(name), say("on"), one(name), block(words(one(key), say(":"), called, maybe(words(say("into"), paths))))),
  words(say("merge"), one(name), say("into"), one(string), maybe(words(say("as"), one(name)))),
  words(
    say("require"),
    block(
      words(
        one(name),
        say(glue, "("),
        maybe(one(name)),
        one(name),
        say(")"),
        one(fc.constantFrom("<", "<=", ">", ">=", "==")),
        one(number),
      ),
    ),
  ),
  words(say("module"), one(name), parameters, moduleBody),
  words(
    say("architecture"),
    one(name),
    say("for"),
    one(string),
    block(fc.oneof(param, child, forward, words(say("config"), block(configKey))), [[]]),
  ),
  words(
    say("method"),
    one(name),
    parameters,
    fc.constantFrom<Words>(["trains"], ["amends", "Linear"]),
    block(fc.oneof(param, letMember, observe, measure, needs, bind, interop), [[]]),
  ),
  words(say("optimizer"), one(name), parameters, block(fc.oneof(words(say("state"), one(name), say("="), expr), bind), [[]])),
  words(say("schedule"), one(name), parameters, say("="), expr),
  words(say("format"), one(name), parameters, block(bind, [[]])),
);

const plain = fc.constantFrom(" ", " ", " ", "  ", "\n    ", "\n\n\n    ", "\t");
const noted = fc.oneof(
  { weight: 12, arbitrary: plain },
  { weight: 1, arbitrary: fc.constantFrom(" // note\n    ", "\n    // own line\n    ", "\n    /// doc\n    ", " /// late\n    ") },
);

/** A text that follows the grammar, with blanks (and comments, if asked) wherever they may stand. */
export const anyText = (comments: boolean): fc.Arbitrary<string> =>
  fc.array(item, { minLength: 1, maxLength: 4 }).chain((items) => {
    const all = items.flatMap((part) => ["\n", ...part]);
    return fc.array(comments ? noted : plain, { minLength: all.length, maxLength: all.length }).map((gaps) => {
      const parts: string[] = ["peft 1"];
      all.forEach((word, i) => {
        if (word === glue) return;
        const before = all[i - 1];
        parts.push(
          word === "\n" ? "" : before === glue || word === "\n" ? "" : before === "\n" ? "\n" : gaps[i]!,
          word === "\n" ? "" : word,
        );
      });
      return parts.join("");
    });
  });
