// Task two: the same world in another register. An order slip, a list of slots of which some may be missing, becomes the
// sentence it means. The sentence is a function of the slip, so an answer is right or wrong at a glance; the trade is not
// on the slip and has to come from what the base knows.

import { between, colours, counted, hours, numberWord, people, pick, places, type Random, wares, weatherNames, weathers } from "./world.ts";

export interface OrderRow {
  readonly slip: string;
  readonly text: string;
}

export const order = (next: Random): OrderRow => {
  const from = pick(people, next);
  const to = pick(
    people.filter((person) => person !== from),
    next,
  );
  const ware = pick(wares, next);
  const count = between(1, 9, next);
  const colour = next() < 0.6 ? pick(colours, next) : undefined;
  const place = next() < 0.7 ? pick(places, next) : undefined;
  const hour = next() < 0.7 ? pick(hours, next) : undefined;
  const weather = next() < 0.4 ? pick(weatherNames, next) : undefined;

  const slots: [string, string | undefined][] = [
    ["from", from.name],
    ["to", to.name],
    ["item", ware.one],
    ["count", numberWord(count)],
    ["kind", colour],
    ["place", place],
    ["hour", hour],
    ["sky", weather],
  ];
  const slip = slots
    .filter(([, value]) => value !== undefined)
    .map(([slot, value]) => `${slot}: ${value}`)
    .join(" | ");

  const goods = counted(count, ware, colour);
  const first = `${from.name} the ${ware.trade} takes ${goods} to ${to.name}${place ? ` at the ${place}` : ""}${hour ? ` at ${hour}` : ""}.`;
  const second = weather ? ` There is ${weather}, so ${weathers[weather].replace("{they}", from.they)}.` : "";
  return { slip, text: first + second };
};
