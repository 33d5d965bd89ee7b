// Evaluations of several adapters in one output folder: none is lost, and a report shows all.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readReported } from "../../cli/report-page/read.ts";
import { addedTo } from "../../runtime/kept-result.ts";
import type { Result } from "../../spec/result.ts";
import { assert, group } from "../harness.ts";
import { emptyResult } from "../results.ts";

const evaluated = (losses: Readonly<Record<string, number>>): Result => ({
  ...emptyResult,
  evaluate: Object.entries(losses).map(([subject, loss]) => ({
    subject,
    data: "orders",
    split: "eval",
    rows: 1,
    metrics: { loss },
    seconds: 0,
  })),
});

const losses = ({ evaluate }: Result): [string, number | undefined][] => evaluate.map(({ subject, metrics }) => [subject, metrics.loss]);

group("results that stand", (test) => {
  test("an evaluation of another subject is added, of the same subject put in its place", () => {
    const both = addedTo(evaluated({ tiny: 3, menu: 2 }), evaluated({ other: 1 }));
    assert.equal(losses(both), [
      ["tiny", 3],
      ["menu", 2],
      ["other", 1],
    ]);
    assert.equal(losses(addedTo(both, evaluated({ menu: 1.5 }))), [
      ["tiny", 3],
      ["other", 1],
      ["menu", 1.5],
    ]);
  });

  test("a report shows the evaluations of adapters that were given beside the run's", () => {
    const folder = mkdtempSync(join(tmpdir(), "peft-kept-"));
    const write = (below: string, result: Result): void => {
      mkdirSync(join(folder, below), { recursive: true });
      writeFileSync(join(folder, below, "result.json"), JSON.stringify(result));
    };
    try {
      write(".", evaluated({ tiny: 3, menu: 2 }));
      write("evaluated/menu", evaluated({ tiny: 3, menu: 2.5 }));
      write("evaluated/other", evaluated({ tiny: 3, other: 1 }));
      assert.equal(losses(readReported(folder)!.result!), [
        ["menu", 2],
        ["menu (evaluated/menu)", 2.5],
        ["tiny", 3],
        ["other", 1],
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
