import fc from "fast-check";
import { partOf } from "../../runtime/data/held-out.ts";
import type { Row } from "../../runtime/data/row.ts";
import type { Part } from "../../spec/job-data.ts";
import { assert, group } from "../harness.ts";

const rowsOf = (texts: readonly string[]): readonly Row[] => texts.map((text, i) => ({ number: i + 1, values: { text } }));
const many = (count: number): readonly Row[] => rowsOf(Array.from({ length: count }, (_, i) => `row ${i}`));
const textsOf = (rows: readonly Row[]): readonly unknown[] => rows.map(({ values }) => values.text);

const division = fc.record({
  seed: fc.nat(),
  held: fc.array(
    fc.oneof(fc.record({ share: fc.double({ min: 0.01, max: 0.4, noNaN: true }) }), fc.record({ rows: fc.integer({ min: 1, max: 9 }) })),
    { minLength: 1, maxLength: 3 },
  ),
});

group("held-out rows", (test) => {
  test("every row is in exactly one part, in file order", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 2 }), { maxLength: 60 }), division, (texts, { seed, held }) => {
        const rows = rowsOf(texts);
        const parts = [...held, undefined].map((_, index) => partOf(rows, { seed, held, index }));
        for (const part of parts)
          assert.equal(
            part.map(({ number }) => number),
            part.map(({ number }) => number).sort((a, b) => a - b),
          );
        assert.equal(
          parts
            .flat()
            .map(({ number }) => number)
            .sort((a, b) => a - b),
          rows.map(({ number }) => number),
        );
      }),
    );
  });

  test("rows that are equal are in one part", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { minLength: 1, maxLength: 60 }),
        division,
        (texts, { seed, held }) => {
          const parts = [...held, undefined].map((_, index) => new Set(textsOf(partOf(rowsOf(texts), { seed, held, index }))));
          for (const text of new Set(texts)) assert.is(parts.filter((part) => part.has(text)).length, 1);
        },
      ),
    );
  });

  test("which rows follows from the seed and what is in them, not from their order", () => {
    const part: Part = { seed: 3, held: [{ share: 0.1 }], index: 0 };
    const rows = many(500);
    const held = new Set(textsOf(partOf(rows, part)));
    assert.is(held.size, 50);
    assert.equal(new Set(textsOf(partOf([...rows].reverse(), part))), held);
    assert.not.equal(new Set(textsOf(partOf(rows, { ...part, seed: 4 }))), held);
    // Chosen evenly: no part of the file has many more of them than another. 50 of 500, a standard deviation of 3.2 in each fifth.
    for (let i = 0; i < 5; i++) {
      const here = rows.slice(i * 100, (i + 1) * 100).filter(({ values }) => held.has(values.text)).length;
      assert.ok(here >= 1 && here <= 20, `${here} of the ${i + 1}. hundred`);
    }
  });

  test("new rows move few of the old ones", () => {
    const part: Part = { seed: 1, held: [{ share: 0.1 }], index: 0 };
    const before = new Set(textsOf(partOf(many(1000), part)));
    const after = new Set(textsOf(partOf(many(1010), part)));
    const moved = [...before].filter((text) => !after.has(text)).length;
    assert.ok(moved <= 3, `${moved} of ${before.size}`);
  });

  test("as many as asked for: a share is rounded and never nothing, parts follow each other", () => {
    const sizes = (held: Part["held"], rows: number): readonly number[] =>
      [...held, undefined].map((_, index) => partOf(many(rows), { seed: 0, held, index }).length);
    assert.equal(sizes([{ share: 0.05 }], 1000), [50, 950]);
    assert.equal(sizes([{ share: 0.001 }], 100), [1, 99]);
    assert.equal(sizes([{ rows: 30 }, { share: 0.1 }], 200), [30, 20, 150]);
    assert.equal(sizes([{ rows: 300 }], 200), [200, 0]);
  });
});
