// Writes the data of the base and quickstart examples: `npx tsx examples/base/generate.ts`. The same bytes every time; a
// test holds the committed files to it. No eval row is a training row.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { order } from "./orders.ts";
import { story } from "./stories.ts";
import { type Random, random } from "./world.ts";

const sizes = { stories: 2000, orders: 2000, eval: 200 };

const distinct = <Row>(make: (next: Random) => Row, count: number, seed: number): string[] => {
  const next = random(seed);
  const lines = new Set<string>();
  while (lines.size < count) lines.add(JSON.stringify(make(next)));
  return [...lines];
};

const file = (lines: readonly string[]): string => lines.join("\n") + "\n";

/** Every generated data file: path from `examples/` → content. */
export const dataFiles = (): Map<string, string> => {
  const stories = distinct(story, sizes.stories + sizes.eval, 1);
  const orders = distinct(order, sizes.orders + sizes.eval, 2);
  return new Map([
    ["base/stories.train.jsonl", file(stories.slice(sizes.eval))],
    ["quickstart/stories.eval.jsonl", file(stories.slice(0, sizes.eval))],
    ["quickstart/orders.train.jsonl", file(orders.slice(sizes.eval))],
    ["quickstart/orders.eval.jsonl", file(orders.slice(0, sizes.eval))],
  ]);
};

/** Writes `path → content` below `examples/`. */
export const writeAll = (files: ReadonlyMap<string, string>): void => {
  for (const [path, content] of files) {
    const target = fileURLToPath(new URL(`../${path}`, import.meta.url));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
  }
};

if (argv[1] === fileURLToPath(import.meta.url)) writeAll(dataFiles());
