// Makes train.jsonl and eval.jsonl: grey pictures of 12 by 12, each a shape somewhere, of some size and brightness, under noise.
// `npx tsx examples/pictures/rows.ts` writes them. Stored without compression, so that the same bytes come out everywhere.

import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { PNG } from "pngjs";
import { random } from "../base/world.ts";

const side = 12;

/** Whether a place (dx, dy) from the centre is on the shape of this radius. */
const shapes: Readonly<Record<string, (dx: number, dy: number, radius: number) => boolean>> = {
  disc: (dx, dy, radius) => Math.hypot(dx, dy) <= radius,
  ring: (dx, dy, radius) => Math.abs(Math.hypot(dx, dy) - radius) <= 0.8,
  cross: (dx, dy, radius) => Math.min(Math.abs(dx), Math.abs(dy)) <= 0.7 && Math.max(Math.abs(dx), Math.abs(dy)) <= radius,
  bars: (dx, dy, radius) => Math.max(Math.abs(dx), Math.abs(dy)) <= radius && Math.round(dy + 20) % 2 === 0,
};

const picture = (shape: (typeof shapes)[string], next: () => number): string => {
  const png = new PNG({ width: side, height: side });
  const [x, y] = [4.5 + 3 * next(), 4.5 + 3 * next()];
  const radius = 2.6 + 1.4 * next();
  const [dark, light] = [30 + 50 * next(), 170 + 70 * next()];
  for (let i = 0; i < side * side; i++) {
    const on = shape((i % side) - x, Math.floor(i / side) - y, radius);
    const grey = Math.round((on ? light : dark) + 40 * (next() - 0.5));
    png.data.set([grey, grey, grey, 255], i * 4);
  }
  const bytes = PNG.sync.write(png, { colorType: 0, inputColorType: 6, deflateLevel: 0, filterType: 0 });
  return `data:image/png;base64,${bytes.toString("base64")}`;
};

const rows = (count: number, seed: number): string => {
  const next = random(seed);
  const names = Object.keys(shapes);
  return Array.from({ length: count }, (_, i) => {
    const shape = names[i % names.length]!;
    return `${JSON.stringify({ picture: picture(shapes[shape]!, next), shape })}\n`;
  }).join("");
};

/** The example's files by name. */
export const rowFiles = (): readonly (readonly [string, string])[] => [
  ["train.jsonl", rows(240, 11)],
  ["eval.jsonl", rows(60, 12)],
];

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  for (const [name, text] of rowFiles()) writeFileSync(new URL(name, import.meta.url), text);
