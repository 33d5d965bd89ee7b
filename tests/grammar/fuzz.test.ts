// Any text at all: the parser never throws, every diagnostic lies inside the file, and one slip in a good file makes one mistake
// or a few, not a page of them.

import fc from "fast-check";
import { format } from "../../grammar/format.ts";
import { parse } from "../../grammar/parse.ts";
import { endOf, scan } from "../../grammar/tokens.ts";
import { assert, group } from "../harness.ts";
import { texts } from "./texts.ts";

/** Parses, and checks what holds for every text. */
const survives = (text: string) => {
  const { file, diagnostics } = parse(text, "x.peft");
  for (const { at, message, code } of diagnostics) {
    assert.match(code, /^PEFT01\d\d$/);
    assert.ok(message.length < 300, `a long message: ${message}`);
    assert.ok(at && at.start >= 0 && at.start <= at.end && at.end <= text.length, `${code} at ${at?.start}..${at?.end} of ${text.length}`);
  }
  if (!diagnostics.length) format(file, text);
  return diagnostics;
};

const good = texts();
const anyGood = fc.constantFrom(...good);
/** A place in a list, whatever its length turns out to be. */
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

group("fuzz", (test) => {
  test("any characters", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => void survives(text)),
      { numRuns: 200 },
    );
    const codeUnits = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 200 });
    fc.assert(
      fc.property(codeUnits, (units) => void survives(String.fromCharCode(...units))),
      { numRuns: 200 },
    );
  });

  test("any words and signs", () => {
    const word = fc.constantFrom(
      ..."module method param let state forward config interop base data train adapter import require if then else and or not".split(" "),
      ..."( ) [ ] { } , : = += == <= -> . .. * ** + ++ - / @ ^ ~ ? | \" ' // /// # /* */ ; ! $ … “ é".split(" "),
      ..."x y 3 2.5 4..7 3% 2 GiB every 200 steps keep peft 1".split(" "),
      '"s"',
      "\n",
      "\r\n",
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => void survives(words.join(" "))),
      { numRuns: 400 },
    );
  });

  test("good files, damaged", () => {
    const damage = fc.record({
      kind: fc.constantFrom("cut", "drop", "double", "swap", "noise"),
      at: fraction,
      size: fraction,
      noise: fc.string({ unit: "binary", maxLength: 5 }),
    });
    const property = fc.property(anyGood, fc.array(damage, { minLength: 1, maxLength: 5 }), ({ text }, damages) => {
      let now = text;
      for (const { kind, at, size, noise } of damages) {
        const start = Math.floor(at * now.length);
        const end = start + Math.floor(size * 40);
        const [before, part, after] = [now.slice(0, start), now.slice(start, end), now.slice(end)];
        now =
          kind === "cut"
            ? before
            : kind === "drop"
              ? before + after
              : kind === "double"
                ? before + part + part + after
                : kind === "swap"
                  ? before + after + part
                  : before + noise + after;
      }
      survives(now);
    });
    fc.assert(property, { numRuns: 200 });
  });

  test("line ends, tabs, indentation and byte order marks change nothing", () => {
    for (const { text } of good)
      for (const variant of [
        text.replaceAll("\n", "\r\n"),
        text.replaceAll("  ", "\t"),
        `\uFEFF${text}`,
        text.replaceAll("\n", "\r"),
        text.replaceAll(/^ +/gm, ""),
      ])
        assert.equal(survives(variant), []);
  });

  test("nesting without end", () => {
    const deep = 10_000;
    for (const text of [
      `schedule s() = ${"(".repeat(deep)}1${")".repeat(deep)}`,
      `schedule s() = ${"(".repeat(deep)}`,
      `schedule s() = ${"[".repeat(deep)}`,
      `schedule s() = ${"f(".repeat(deep)}`,
      `schedule s() = ${"-".repeat(deep)}1`,
      `schedule s() = ${"not ".repeat(deep)}1`,
      `schedule s() = 1${" + 1".repeat(deep)}`,
      `schedule s() = 1${" ^ 1".repeat(deep)}`,
      `schedule s() = a${".b".repeat(deep)}`,
      `schedule s() = a${"(1)".repeat(deep)}`,
      `schedule s() = ${"if a then b else ".repeat(deep)}c`,
      `schedule s() = ${"if ".repeat(deep)}`,
    ]) {
      const diagnostics = survives(text);
      assert.ok(diagnostics.length >= 1 && diagnostics.length <= 2, `${text.slice(0, 30)}: ${diagnostics.length}`);
      assert.is(diagnostics[0]!.code, "PEFT0109", text.slice(0, 30));
    }
    assert.ok(survives("{".repeat(deep)).length <= 2);
  });

  test("ten million characters are refused at once", () => {
    const started = performance.now();
    const diagnostics = survives("data x { a = 1 }\n".repeat(600_000));
    assert.equal(
      diagnostics.map(({ code }) => code),
      ["PEFT0115"],
    );
    assert.ok(performance.now() - started < 1000);
  });

  test("long garbage takes time in proportion", () => {
    for (const piece of [
      ";",
      '"',
      "\\",
      "a ",
      "{",
      "}",
      "(",
      ") ",
      "a(b c\n",
      "x = f(a b\n",
      "/*",
      "'",
      "1.",
      '"\\',
      "///\n",
      "a.",
      "{a:",
      "data d {\n",
    ]) {
      const started = performance.now();
      const diagnostics = survives(piece.repeat(Math.floor(100_000 / piece.length)));
      assert.ok(diagnostics.length <= 201);
      assert.ok(performance.now() - started < 8000, `${JSON.stringify(piece)} took ${performance.now() - started} ms`);
    }
  });

  // A slip at each token of each file, one at a time; the files are the repository's own, so this is what users will see.
  const slips: Record<string, (text: string, start: number, end: number) => string> = {
    "left out": (text, start, end) => text.slice(0, start) + text.slice(end),
    doubled: (text, start, end) => `${text.slice(0, end)} ${text.slice(start, end)}${text.slice(end)}`,
    misspelt: (text, start, end) => (/\w/.test(text[start]!) && end - start > 2 ? text.slice(0, start + 1) + text.slice(start + 2) : text),
    replaced: (text, start, end) => `${text.slice(0, start)}(${text.slice(end)}`,
  };
  for (const [kind, slip] of Object.entries(slips))
    test(`one token ${kind} makes few mistakes`, () => {
      const counts: number[] = [];
      for (const { text, path } of good) {
        const { tokens } = scan(text, path);
        for (let i = 0; i < tokens.length; i += 5) {
          const slipped = slip(text, tokens[i]!.startOffset, endOf(tokens[i]!));
          const diagnostics = survives(slipped);
          if (diagnostics.length > 4)
            throw new Error(
              `${diagnostics.length} mistakes for one token ${kind}, \`${tokens[i]!.image}\` in ${path} at ${tokens[i]!.startOffset}:\n${diagnostics.map(({ message }) => message).join("\n")}`,
            );
          if (diagnostics.length) counts.push(diagnostics.length);
        }
      }
      assert.ok(counts.length > 10, `only ${counts.length} slips were seen`);
      const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
      assert.ok(mean < 1.3, `${mean} mistakes for one slip on average`);
    });
});
