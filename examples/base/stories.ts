// Task one: short stories in plain sentences. Who lives where and makes what, who asks for how much, what the weather is.
// The later sentences say again, in other words and in any order, what the earlier ones said, so that a model which reads
// them well has learned to look things up in its own text.

import { between, capital, colours, counted, hours, people, pick, places, type Random, wares, weatherNames, weathers } from "./world.ts";

export interface StoryRow {
  readonly opening: string;
  /** Starts with a space: `opening + rest` is the story. */
  readonly rest: string;
}

/** `items` in random order (Fisher and Yates). */
const shuffled = (items: readonly string[], next: Random): string[] => {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = between(0, i, next);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
};

export const story = (next: Random): StoryRow => {
  const maker = pick(people, next);
  const guest = pick(
    people.filter((person) => person !== maker),
    next,
  );
  const ware = pick(wares, next);
  const colour = next() < 0.6 ? pick(colours, next) : undefined;
  const place = pick(places, next);
  const home = pick(
    places.filter((other) => other !== place),
    next,
  );
  const hour = pick(hours, next);
  const weather = pick(weatherNames, next);
  const count = between(1, 9, next);
  const goods = counted(count, ware, colour);

  const facts = [
    next() < 0.5 ? `${maker.name} the ${ware.trade} lives at the ${place}.` : `At the ${place} lives ${maker.name} the ${ware.trade}.`,
    next() < 0.5 ? `There is ${weather} at ${hour}.` : `At ${hour} there is ${weather}.`,
    `${maker.name} ${ware.verb} ${goods}.`,
    `${guest.name} comes from the ${home}.`,
  ];
  const recalls = [
    `${guest.name} asks ${maker.name} for ${goods}.`,
    `${guest.name} thanks ${maker.name} the ${ware.trade}.`,
    `${maker.name} gives ${guest.name} ${goods}.`,
    `${guest.name} takes ${goods} to the ${home}.`,
    `${maker.name} stays at the ${place}.`,
    `${capital(counted(count, ware))} for ${guest.name} from ${maker.name}.`,
    `${guest.name} comes back to the ${place} at ${hour}.`,
    `There is ${weather}, so ${weathers[weather].replace("{they}", guest.they)}.`,
  ];
  const [opening, ...others] = [...facts, ...shuffled(recalls, next).slice(0, 4)];
  return { opening: opening!, rest: others.map((sentence) => ` ${sentence}`).join("") };
};
