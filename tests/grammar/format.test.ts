// The formatter's promises: the same tree, every comment, and nothing left to do the second time.

import fc from "fast-check";
import { format } from "../../grammar/format.ts";
import { parse } from "../../grammar/parse.ts";
import { assert, group } from "../harness.ts";
import { anyText, bare, texts } from "./texts.ts";

/** Formats, checks the promises, and returns the result. */
const checked = (text: string): string => {
  const before = parse(text, "x.peft");
  assert.equal(before.diagnostics, [], `the text has mistakes:\n${text}`);
  const formatted = format(before.file, text);
  const after = parse(formatted, "x.peft");
  assert.equal(after.diagnostics, [], `formatting made mistakes:\n${text}\n---\n${formatted}`);
  assert.equal(bare(after.file), bare(before.file), `formatting changed the tree:\n${text}\n---\n${formatted}`);
  assert.is(format(after.file, formatted), formatted, `formatting twice differs:\n${text}`);
  const comments = (file: typeof before.file) => file.comments.map((comment) => comment.text.trimEnd()).sort();
  assert.equal(comments(after.file), comments(before.file), `a comment is lost:\n${text}\n---\n${formatted}`);
  return formatted;
};

group("format", (test) => {
  for (const { path, text } of texts())
    test(`${path} keeps its tree and comments, and is written the one way`, () => {
      const formatted = checked(text);
      if (path.includes("/")) assert.is(formatted, text);
    });

  test("lines are at most 120 wide where they can break", () => {
    const long = `adapter menu = lora(${Array.from({ length: 20 }, (_, i) => `argument_${i}: ${i}`).join(", ")}) into tiny.**\n`;
    const lines = checked(long).split("\n");
    assert.ok(lines.length > 20);
    assert.ok(lines.every((line) => line.length <= 120));
  });

  test("parentheses stay where they say something and go where they do not", () => {
    const text = "schedule s() = ((a)) + (b * c) - (d - e) * (if f then (g) else h) ^ (-2) ^ -i\n";
    assert.is(checked(text), "schedule s() = a + (b * c) - (d - e) * (if f then g else h) ^ (-2) ^ -i\n");
  });

  test("a comment stays beside what it stood beside", () => {
    const text = `// head
peft 1 // one


/// About x.
data x { // open
  // first
  a = f(1, // in
    2) // after

  b = 2
  // last
}
// end
`;
    const expected = `// head
peft 1 // one

/// About x.
data x { // open
  // first
  a = f(
    1, // in
    2
  ) // after

  b = 2
  // last
}
// end
`;
    assert.is(checked(text), expected);
  });

  test("comments inside brackets that go stand below, as they would by themselves", () =>
    assert.is(checked("schedule s() = ((a // 1\n) // 2\n)\n"), "schedule s() = a // 1\n\n// 2\n"));

  test("an empty file stays empty", () => assert.is(checked(""), ""));
  test("a file of comments stays", () => assert.is(checked("// a\n\n\n// b\n"), "// a\n\n// b\n"));
  test("any text", () =>
    fc.assert(
      fc.property(anyText(false), (text) => void checked(text)),
      { numRuns: 100 },
    ));
  test("any text with comments anywhere", () =>
    fc.assert(
      fc.property(anyText(true), (text) => void checked(text)),
      { numRuns: 100 },
    ));
});
