// Writes the rows that classify.peft reads: orders of the quickstart, as many at night as by day. `npx tsx examples/classify/rows.ts`

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const orders = new URL("../quickstart/", import.meta.url);

/** The first `count` of each class, in the order of the file. */
const balanced = (file: string, count: number): string => {
  const left = [count, count]; // of orders by day, and at night
  const lines: string[] = [];
  for (const line of readFileSync(new URL(file, orders), "utf8").trim().split("\n")) {
    const { text } = JSON.parse(line) as { text: string };
    const label = text.includes(" at night") ? 1 : 0;
    if (left[label]!-- > 0) lines.push(`${text}\t${label}`);
  }
  return `${lines.join("\n")}\n`;
};

export const rowFiles = (): ReadonlyMap<string, string> =>
  new Map([
    ["train.tsv", balanced("orders.train.jsonl", 200)],
    ["eval.tsv", balanced("orders.eval.jsonl", 30)],
  ]);

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  for (const [name, text] of rowFiles()) writeFileSync(new URL(name, import.meta.url), text);
