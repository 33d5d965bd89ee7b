// What is looked for in texts and their tokens.

import { auditTexts } from "../../runtime/data/audit.ts";
import type { Tokenizer } from "../../runtime/tokenizer.ts";
import { assert, group } from "../harness.ts";

/** A token per character, as sentencepiece writes text: a space in front of nothing is not written. */
const tokenizer = (fold: (text: string) => string): Pick<Tokenizer, "continue" | "decode"> => ({
  continue: (text) => [...fold(text)].map((character) => character.codePointAt(0)!),
  decode: (ids) => String.fromCodePoint(...ids).replace(/^ /, ""),
});

const texts = [
  { text: " The Vaults", place: "rows.jsonl:1" },
  { text: "Crème", place: "rows.jsonl:2" },
];

group("audit of texts", (test) => {
  test("a text that comes back is not reported, one with a space in front included", () => {
    assert.equal(
      auditTexts(
        texts,
        tokenizer((text) => text),
      ),
      [],
    );
  });

  test("a text that does not come back is reported with its place", () => {
    const [found] = auditTexts(
      texts,
      tokenizer((text) => text.replaceAll("è", "e")),
    );
    assert.is(found!.code, "PEFT0611");
    assert.match(found!.message, "1 of 2 texts");
    assert.match(found!.message, "rows.jsonl:2");
  });
});
