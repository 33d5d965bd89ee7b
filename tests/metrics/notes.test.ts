// A score that is less than its name promises says so wherever it is told, and no other does.

import type { PointTable } from "../../cli/point-table.ts";
import { markdownPoints, renderPoints } from "../../cli/render/points.ts";
import { renderResult } from "../../cli/render/result.ts";
import { renderHtml } from "../../cli/report-page/html.ts";
import { renderMarkdown } from "../../cli/report-page/markdown.ts";
import type { Result } from "../../spec/result.ts";
import { assert, group } from "../harness.ts";
import { emptyResult } from "../results.ts";

const resultOf = (score: string): Result => ({
  ...emptyResult,
  evaluate: [
    { subject: "menu", data: "orders", split: "eval", rows: 2, metrics: { [score]: 0.5 } } as unknown as Result["evaluate"][number],
  ],
});

group("metrics say what they are", (test) => {
  const told = (score: string): readonly string[] => {
    const result = resultOf(score);
    const table: PointTable = {
      kind: "sweep",
      name: "ranks",
      keys: ["rank"],
      columns: [{ title: `orders.eval ${score}` }],
      rows: [{ values: { rank: "8" }, cells: [[0.5]], beside: [] }],
      paired: [],
    };
    const page = renderHtml(
      { folder: "out", result: undefined, sets: [{ table, of: "menu", runs: [] }], source: undefined, plan: undefined },
      { loss: undefined, sets: [[]] },
    );
    assert.match(page, /<tbody><tr><td>8<\/td><td>0\.5000<\/td><\/tr><\/tbody>/, "what is said below a table is no row of it");
    const reported = { folder: "out", result, sets: [], source: undefined, plan: undefined };
    return [
      page,
      renderResult(result, "out/", false),
      renderMarkdown(reported),
      renderHtml(reported, { loss: undefined, sets: [] }),
      renderPoints(table),
      markdownPoints(table),
    ];
  };
  test("METEOR is exact + stem, at the end of a run, in tables of points, in Markdown and on the page", () => {
    for (const text of told("meteor")) assert.ok(text.includes("METEOR is exact + stem"), text);
  });
  test("another score has nothing to add", () => {
    for (const text of told("bleu")) assert.not.ok(text.includes("METEOR"), text);
  });
});
