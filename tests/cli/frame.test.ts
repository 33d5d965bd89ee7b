// The text rendering of diagnostics, from files that hold the marked source and what is printed side by side:
// ⟦…⟧ is the place to blame, ⟪…⟫ the place of the note. `␛ESC` and `␛RLO` stand for the real characters.

import { readdirSync } from "node:fs";
import { screenOf, slice } from "../../cli/render/columns.ts";
import { linesOf } from "../../cli/render/position.ts";
import { renderSummary } from "../../cli/render/summary.ts";
import { renderText } from "../../cli/render/text.ts";
import type { Span } from "../../grammar/tree.ts";
import type { Diagnostic } from "../../spec/diagnostic.ts";
import { assert, group } from "../harness.ts";
import { assertGolden, readGolden } from "./golden.ts";

const folder = new URL("./golden/frame/", import.meta.url);

const unmark = (marked: string): { text: string; at: Span; note: Span | undefined } => {
  let text = "";
  const places: Record<string, number> = {};
  for (const character of marked.replaceAll("␛ESC", "\u001b").replaceAll("␛RLO", "\u202e"))
    if ("⟦⟧⟪⟫".includes(character)) places[character] = text.length;
    else text += character;
  const span = (open: string, close: string): Span | undefined =>
    places[open] === undefined ? undefined : { file: "menu.peft", start: places[open], end: places[close]! };
  return { text, at: span("⟦", "⟧")!, note: span("⟪", "⟫") };
};

group("diagnostics as text", (test) => {
  for (const file of readdirSync(folder).sort())
    test(file.replace(".md", "").replaceAll("-", " "), () => {
      const path = new URL(file, folder);
      const { title, blocks } = readGolden(path);
      const [, severity, code, message] = /^# (error|warning)\[(\w+)\] (.+)$/m.exec(title)!;
      const line = (key: string): string | undefined => new RegExp(`^${key}: (.+)$`, "m").exec(title)?.[1];
      const { text, at, note } = unmark(blocks[0]!.text);
      const diagnostic: Diagnostic = {
        code: code!,
        severity: severity as "error" | "warning",
        message: message!,
        at,
        ...(line("label") && { label: line("label")! }),
        notes: line("note") ? [{ message: line("note")!, ...(note && { at: note }) }] : [],
        ...(line("help") && { help: line("help")! }),
        fixes: [],
      };
      const columns = line("columns");
      const rendered = renderText([diagnostic], { text: () => text, colour: false, columns: columns ? Number(columns) : undefined });
      assert.not.match(rendered, "\u001b");
      for (const row of rendered.split("\n")) assert.is(row, row.trimEnd());
      assertGolden(path, "text", rendered);
    });

  const at = (start: number, end: number): Diagnostic => ({
    code: "PEFT0312",
    severity: "error",
    message: "m",
    at: { file: "a", start, end },
    notes: [],
    fixes: [],
  });

  test("colour changes no character of the text", () => {
    const options = { text: () => "base tiny", columns: undefined };
    const coloured = renderText([at(0, 4)], { ...options, colour: true });
    assert.match(coloured, "\u001b[31m");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control sequences.
    assert.is(coloured.replace(/\u001b\[\d+m/g, ""), renderText([at(0, 4)], { ...options, colour: false }));
  });

  test("a place outside the text is shown, not thrown", () => {
    for (const [start, end] of [
      [0, 0],
      [9, 9],
      [50, 60],
      [3, 500],
    ] as const)
      assert.match(renderText([at(start, end)], { text: () => "base\ntiny", colour: false }), "^");
  });

  test("the summary counts", () => {
    assert.is(renderSummary([], 1, false), "no problems in 1 file\n");
    assert.is(renderSummary([at(0, 1), { ...at(0, 1), severity: "warning" }], 2, false), "1 error and 1 warning in 2 files\n");
  });
});

group("columns", (test) => {
  test("offsets into a line with tabs, wide and combined characters", () => {
    const { text, column, width } = screenOf("a\t名e\u0301b");
    assert.is(text, "a   名e\u0301b");
    assert.equal([0, 1, 2, 3, 5, 6].map(column), [0, 1, 4, 6, 7, 8]);
    assert.is(width, 8);
  });

  test("a slice through a wide character keeps its width", () => {
    assert.is(slice("a名b", 0, 2), "a ");
    assert.is(slice("a名b", 2, 4), " b");
    assert.is(slice("abcdef", 1, 3), "bc");
  });

  test("line and column of an offset, CRLF included", () => {
    const { position, line, count } = linesOf("ab\r\nc\n");
    assert.equal(position(0), { line: 1, column: 1 });
    assert.equal(position(4), { line: 2, column: 1 });
    assert.equal(position(6), { line: 3, column: 1 });
    assert.is(line(1), "ab");
    assert.is(count, 3);
  });
});
