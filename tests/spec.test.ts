// The specification runs: every block in spec/language/syntax-*.md parses, or gives the code it says; rules are numbered once each,
// and a chapter the grammar names exists.

import { readdirSync, readFileSync } from "node:fs";
import { parse } from "../grammar/parse.ts";
import { assert, group } from "./harness.ts";

const folder = new URL("../spec/language/", import.meta.url);
const chapters = readdirSync(folder)
  .filter((file) => /^syntax-\w+\.md$/.test(file))
  .sort()
  .map((file) => ({ file, text: readFileSync(new URL(file, folder), "utf8") }));

interface Block {
  readonly title: string;
  readonly code: string | undefined;
  readonly text: string;
}

/** The `peft` blocks of a page, with the line each begins on and the code an `error` block must give. */
const blocksOf = (page: string, text: string): Block[] =>
  [...text.matchAll(/^```peft(?: error (PEFT\d{4}))?\n([\s\S]*?)^```$/gm)].map((match) => ({
    title: `${page}:${text.slice(0, match.index).split("\n").length}`,
    code: match[1],
    text: match[2]!,
  }));

const runs = ({ title, code, text }: Block): void => {
  const codes = parse(text, title).diagnostics.map((diagnostic) => diagnostic.code);
  if (code)
    assert.ok(
      codes.length && codes.every((found) => found === code),
      `${title} should give ${code} alone, gave ${codes.join(", ") || "nothing"}`,
    );
  else assert.equal(codes, [], `${title} should parse`);
};

group("spec", (test) => {
  test("there are chapters with blocks of both kinds", () => {
    const blocks = chapters.flatMap(({ file, text }) => blocksOf(file, text));
    assert.ok(blocks.filter(({ code }) => code).length > 10);
    assert.ok(blocks.filter(({ code }) => !code).length > 20);
    for (const { file, text } of chapters)
      assert.is(blocksOf(file, text).length, text.match(/^```peft/gm)?.length ?? 0, `${file} has a block that is not read`);
  });

  for (const { file, text } of chapters)
    for (const block of blocksOf(file, text)) test(`${block.title} ${block.code ?? "parses"}`, () => runs(block));

  test("a wrong block is noticed", () => {
    const [block] = blocksOf("planted", "```peft\nadapter =\n```\n");
    const fails = (run: Block): boolean => {
      try {
        runs(run);
        return false;
      } catch {
        return true;
      }
    };
    assert.ok(block && fails(block), "a mistake");
    assert.ok(fails({ ...block, code: "PEFT0199" }), "another code");
    assert.ok(fails({ title: "planted", code: "PEFT0100", text: "peft 1" }), "no mistake");
  });

  test("rules are numbered once each, without gaps", () => {
    const numbers = chapters.flatMap(({ text }) => [...text.matchAll(/^\*\*G(\d+)\.\*\*/gm)].map((match) => Number(match[1])));
    assert.equal(
      [...numbers].sort((a, b) => a - b),
      numbers.map((_, i) => i + 1),
    );
    for (const { file, text } of chapters)
      for (const [, cited] of text.matchAll(/\bG(\d+)\b/g)) assert.ok(numbers.includes(Number(cited)), `${file} cites G${cited}`);
  });

  test("chapters that the grammar names exist", () => {
    const code = readdirSync(new URL("../grammar/", import.meta.url))
      .filter((file) => file.endsWith(".ts"))
      .map((file) => readFileSync(new URL(`../grammar/${file}`, import.meta.url), "utf8"))
      .join("\n");
    const named = [...code.matchAll(/spec\/language\/([\w-]+\.md)/g)].map((match) => match[1]!);
    assert.ok(named.length > 2);
    for (const name of named)
      assert.ok(
        chapters.some(({ file }) => file === name),
        `${name} does not exist`,
      );
  });

  // The pages of the parser's own diagnostics; the compiler's are run where the compiler is tested.
  const pages = new URL("../spec/diagnostics/", import.meta.url);
  for (const page of readdirSync(pages).filter((file) => /^PEFT01\d\d\.md$/.test(file)))
    test(`${page}: the failing block gives its code, the corrected one parses`, () => {
      const [wrong, right] = blocksOf(page, readFileSync(new URL(page, pages), "utf8"));
      if (!wrong || !right) return assert.match(page, /PEFT011[56]/, "only mistakes of size have no blocks of their own");
      runs({ ...wrong, code: page.slice(0, -".md".length) });
      runs(right);
    });
});
