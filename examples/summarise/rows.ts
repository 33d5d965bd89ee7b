// Makes what the example reads: dialogues in which somebody offers something and the two agree on how much, where and when, each with its
// summary; and questions about other such dialogues, which base.peft teaches the base. `npx tsx examples/summarise/rows.ts` writes them.

import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { between, colours, counted, hours, numberWord, people, pick, places, type Random, random, wares } from "../base/world.ts";

interface Talk {
  readonly dialogue: string;
  readonly summary: string;
  /** Answers to questions about it, by the question. */
  readonly answers: Readonly<Record<string, string>>;
}

const talk = (next: Random): Talk => {
  const seller = pick(people, next);
  const buyer = pick(
    people.filter((person) => person !== seller),
    next,
  );
  const ware = pick(wares, next);
  const colour = next() < 0.5 ? pick(colours, next) : undefined;
  const [offered, wanted] = [between(2, 9, next), between(2, 9, next)];
  const changes = next() < 0.4 && wanted !== offered;
  const [place, hour] = [pick(places, next), pick(hours, next)];
  const goods = counted(changes ? wanted : offered, ware, colour);
  const meeting: (readonly [string, string])[] = [
    [pick(["Where?", "Where do we meet?"], next), `At the ${place}.`],
    [pick(["When?", "At noon or at night?"], next), `At ${hour}.`],
  ];
  if (next() < 0.5) meeting.reverse();
  const lines = [
    `${seller.name}: I have ${counted(offered, ware, colour)}.`,
    ...(changes ? [`${buyer.name}: I need ${numberWord(wanted)}.`, `${seller.name}: Take ${numberWord(wanted)}.`] : []),
    ...meeting.flatMap(([asked, told]) => [`${buyer.name}: ${asked}`, `${seller.name}: ${told}`]),
  ];
  return {
    dialogue: lines.join("\n"),
    summary: `${seller.name} takes ${goods} to ${buyer.name} at the ${place} at ${hour}.`,
    answers: {
      who: `${buyer.name} and ${seller.name}`,
      what: `the ${goods}`,
      where: `the ${place}`,
      when: hour,
      last: lines.at(-1)!,
    },
  };
};

const summaries = (count: number, seed: number): string => {
  const next = random(seed);
  return Array.from({ length: count }, () => talk(next))
    .map(({ dialogue, summary }) => `${JSON.stringify({ dialogue, summary })}\n`)
    .join("");
};

const questions = (count: number, seed: number): string => {
  const next = random(seed);
  return Array.from({ length: count }, (_, i) => {
    const { dialogue, answers } = talk(next);
    const asked = Object.keys(answers)[i % 5]!;
    return `${JSON.stringify({ question: asked, dialogue, answer: answers[asked] })}\n`;
  }).join("");
};

/** The example's files by name. */
export const rowFiles = (): ReadonlyMap<string, string> =>
  new Map([
    ["questions.jsonl", questions(2500, 1)],
    ["train.jsonl", summaries(600, 2)],
    ["eval.jsonl", summaries(40, 3)],
  ]);

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  for (const [name, text] of rowFiles()) writeFileSync(new URL(name, import.meta.url), text);
