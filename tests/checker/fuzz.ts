// The fuzzer, run for as long as asked:
//
//   npx tsx tests/checker/fuzz.ts 600 [SEED]      # seconds
//
// Prints what was tried and the slowest text; stops at the first fault.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { std } from "../../cli/embedded/std.ts";
import { mutate, randomFrom } from "./mutate.ts";
import { survives } from "./survives.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const below = (folder: string): readonly { readonly path: string; readonly text: string }[] =>
  readdirSync(root + folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".peft"))
    .sort()
    .map((file) => ({ path: `${folder}/${file}`, text: readFileSync(`${root}${folder}/${file}`, "utf8") }));

/** Every `.peft` file there is. */
export const corpus = [...below("examples"), ...below("tests/mistakes/cases"), ...[...std].map(([path, text]) => ({ path, text }))];

/** Tries mutants until `done` says so; returns how many, and how long the slowest took. */
export const fuzz = async (seed: number, done: (tried: number) => boolean) => {
  const random = randomFrom(seed);
  const codes = new Map<string, number>();
  let [tried, slowest, slowestText] = [0, 0, ""];
  while (!done(tried)) {
    const { text } = mutate(corpus, random);
    const { found, milliseconds } = await survives(text);
    for (const { code } of found) codes.set(code, (codes.get(code) ?? 0) + 1);
    if (milliseconds > slowest) [slowest, slowestText] = [milliseconds, text];
    tried++;
  }
  return { tried, slowest, slowestText, codes };
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const end = Date.now() + 1000 * Number(process.argv[2] ?? 60);
  const seed = Number(process.argv[3] ?? Date.now() % 1e9);
  console.log(`seed ${seed}`);
  fuzz(seed, () => Date.now() > end).then(({ tried, slowest, slowestText, codes }) => {
    console.log(`${tried} texts, ${codes.size} different codes; the slowest took ${slowest.toFixed(0)} ms:\n${slowestText}`);
  });
}
