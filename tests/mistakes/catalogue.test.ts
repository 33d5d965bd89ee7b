// docs/mistakes.md against the cases: every row of the two catalogues stands there once, and every case belongs to its row.

import { readdirSync, readFileSync } from "node:fs";
import { assert, group } from "../harness.ts";
import { readCase } from "./case.ts";

const page = readFileSync(new URL("../../docs/mistakes.md", import.meta.url), "utf8");
const rows = [...page.matchAll(/^\| ([PM]\d+) \|.*\| ?([^|]*)\|$/gm)].map(([, row, cases]) => ({
  row: row!,
  cases: cases!.trim().split(", ").filter(Boolean),
}));
const folder = new URL("./cases/", import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith(".peft"));

group("catalogue", (test) => {
  test("all 63 rows stand there, once each", () => {
    const wanted = [...Array.from({ length: 33 }, (_, i) => `P${i + 1}`), ...Array.from({ length: 30 }, (_, i) => `M${i + 1}`)];
    assert.equal(
      rows.map(({ row }) => row),
      wanted,
    );
  });

  test("a row names cases that are there, and a case names its row, whose threads are on the page", () => {
    for (const { row, cases } of rows)
      for (const prefix of cases)
        assert.ok(
          files.some((file) => file.startsWith(`${prefix}-`)),
          `${row} names ${prefix}`,
        );
    for (const file of files) {
      const { row } = readCase(file, readFileSync(new URL(file, folder), "utf8"));
      const [, id, threads] = /^(\w+)(?: \((.*)\))?$/.exec(row)!;
      if (id === "OWN") assert.ok(file.startsWith("x-"), file);
      else {
        assert.ok(file.startsWith(`${id![0]!.toLowerCase()}${id!.slice(1).padStart(2, "0")}-`), `${file} says ${row}`);
        const line = page.split("\n").find((text) => text.startsWith(`| ${id} |`))!;
        for (const thread of threads?.split(", ") ?? [])
          assert.ok(line.includes(`#${thread.split("#")[1]}`), `${file}: ${thread} is not on the page`);
      }
    }
  });

  test("codes on the page have a page of their own", () => {
    for (const [code] of page.matchAll(/PEFT\d{4}/g))
      assert.ok(readdirSync(new URL("../../spec/diagnostics/", import.meta.url)).includes(`${code}.md`), code);
  });
});
