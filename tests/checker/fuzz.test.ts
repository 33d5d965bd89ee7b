// A short run of the fuzzer, and the texts that are hostile on purpose.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, group } from "../harness.ts";
import { corpus, fuzz } from "./fuzz.ts";
import { mutate, randomFrom } from "./mutate.ts";
import { peftIn } from "./peft-in.ts";
import { survives } from "./survives.ts";

const pipeline = `peft 1
base tiny = blank("base/")
adapter menu = lora(r: 4) into tiny.layers.*.attn.{q, v}
data orders { train = text("rows.txt")  answer = "{text}" }
train menu on orders { optimizer: adamw(learning_rate: 2e-4)  steps: 20 }
`;

group("hardness", (test) => {
  test("random slips in every file there is: no fault, no place outside a file, bounded time", async () => {
    const { tried, slowest, codes } = await fuzz(11, (count) => count >= 120);
    assert.is(tried, 120);
    assert.ok(codes.size > 15, `${codes.size} different codes`);
    assert.ok(slowest < 10_000, `${slowest} ms`);
  });

  test("the mutants differ, and follow from the seed", () => {
    const some = (seed: number) => {
      const random = randomFrom(seed);
      return Array.from({ length: 20 }, () => mutate(corpus, random).text);
    };
    assert.equal(some(3), some(3));
    assert.ok(new Set([...some(3), ...some(4)]).size > 35);
  });

  test("CRLF, CR, tabs and a byte order mark change nothing but places", async () => {
    for (const text of [
      pipeline.replaceAll("\n", "\r\n"),
      pipeline.replaceAll("\n", "\r"),
      pipeline.replaceAll(" ", "\t"),
      `\ufeff${pipeline}`,
    ])
      assert.equal(
        (await survives(text)).found.map(({ code }) => code),
        [],
      );
    const wrong = pipeline.replace("{q, v}", "{qq, v}").replaceAll("\n", "\r\n");
    const [found] = (await survives(wrong)).found;
    assert.is(wrong.slice(found!.at!.start, found!.at!.end), "qq");
  });

  const deep = (open: string, close: string, count: number): string => `${open.repeat(count)}1${close.repeat(count)}`;
  const hostile: readonly [string, string][] = [
    ["nothing", ""],
    ["a thousand parentheses", `peft 1\nschedule s() = ${deep("(", ")", 1000)}\n`],
    ["a hundred thousand brackets", `peft 1\nschedule s() = ${deep("[", "]", 100_000)}\n`],
    ["a hundred thousand braces", `peft 1\n${"{".repeat(100_000)}`],
    ["a sum of fifty thousand", `peft 1\nschedule s() = ${"1 + ".repeat(50_000)}1\n`],
    ["a line of a megabyte", `peft 1\nschedule s() = ${"a".repeat(1 << 20)}\n`],
    ["a string of a megabyte", `peft 1\ndata d { prompt = "${"{a}".repeat(1 << 18)}" }\n`],
    ["ten megabytes", "x".repeat(10 << 20)],
    [
      "a hundred adapters",
      `${pipeline}${Array.from({ length: 100 }, (_, i) => `adapter a${i} = lora(r: 2) into tiny.layers.0.attn.q\n`).join("")}`,
    ],
    [
      "a module of a billion layers",
      'peft 1\nmodule M(n: int) { inner = repeat 1000000000 as i: Linear(2, 2) @ "h.{i}"  forward(x: [.., 2]) -> [.., 2] = inner(x) }\n',
    ],
    [
      "values of a method made of each other",
      "peft 1\nmethod m() amends Linear {\n  let a = b + base.weight\n  let b = a * 2\n  weight = a\n}\nmethod n() amends Linear { let c = c + base.weight  weight = c }\n",
    ],
    [
      "a list where a size belongs",
      "peft 1\nmethod m(flag: bool = true) amends Linear { weight = join(split(base.weight, [1, 2])) + tile(base.weight, count: flag) }\n",
    ],
    ["a module within itself", "peft 1\nmodule M(n: int) { inner = M(n)  forward(x: [.., n]) -> [.., n] = inner(x) }\n"],
    [
      "modules within each other",
      "peft 1\nmodule A(n: int) { b = B(n)  forward(x: [.., n]) -> [.., n] = b(x) }\nmodule B(n: int) { a = A(n)  forward(x: [.., n]) -> [.., n] = a(x) }\n",
    ],
    ["a power of powers", `peft 1\nschedule s() = ${"9 ^ ".repeat(90)}9\n`],
    ["a rank of a billion", pipeline.replace("r: 4", "r: 1000000000")],
    ["a path of a thousand steps", pipeline.replace("layers.*", "layers.*.**".repeat(300))],
  ];
  for (const [name, text] of hostile)
    test(`hostile: ${name}`, async () => {
      const { milliseconds } = await survives(text);
      assert.ok(milliseconds < 20_000, `${milliseconds} ms`);
    });

  test("bytes that are no UTF-8 are said, with their line", async () => {
    const folder = mkdtempSync(join(tmpdir(), "peft-bytes-"));
    try {
      writeFileSync(join(folder, "a.peft"), Buffer.concat([Buffer.from("peft 1\n// caf"), Buffer.from([0xe9]), Buffer.from("\n")]));
      const { code, out } = await peftIn(folder, "check a.peft");
      assert.is(code, 1);
      assert.match(out, "[PEFT0615]");
      assert.match(out, "a.peft:2:7");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
