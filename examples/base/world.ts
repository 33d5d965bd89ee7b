// The little world both tasks speak of: people, trades and what each trade makes, places, weather, hours; and a seeded
// generator. Everything the base model will ever read is made from this file, so its vocabulary is known in full.

/** Numbers in [0, 1) from a seed, the same on every machine (mulberry32: integer arithmetic only). */
export const random = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
};

export type Random = () => number;

export const pick = <T>(from: readonly T[], next: Random): T => from[Math.floor(next() * from.length)]!;

/** A whole number from `low` to `high`, both included. */
export const between = (low: number, high: number, next: Random): number => low + Math.floor(next() * (high - low + 1));

export interface Person {
  readonly name: string;
  readonly they: "she" | "he";
  readonly them: "her" | "him";
}

const she = (name: string): Person => ({ name, they: "she", them: "her" });
const he = (name: string): Person => ({ name, they: "he", them: "him" });

export const people: readonly Person[] = [
  ...["Ada", "Cleo", "Edna", "Greta", "Ida", "Mira", "Nora", "Olga", "Rosa", "Vera"].map(she),
  ...["Ben", "Dan", "Felix", "Hugo", "Jon", "Karl", "Leo", "Otto", "Paul", "Tom"].map(he),
];

export interface Ware {
  readonly one: string;
  readonly many: string;
  readonly trade: string;
  /** What the trade does to get it. */
  readonly verb: string;
}

const waresOf = (trade: string, verb: string, ...words: string[]): Ware[] =>
  words.map((word) => {
    const [one, many] = word.split("/") as [string, string?];
    return { one, many: many ?? `${one}s`, trade, verb };
  });

export const wares: readonly Ware[] = [
  ...waresOf("baker", "bakes", "loaf/loaves", "pie", "cake", "bun"),
  ...waresOf("fisher", "catches", "crab", "eel", "trout/trout", "pike/pike"),
  ...waresOf("potter", "makes", "bowl", "jug", "cup", "vase"),
  ...waresOf("weaver", "weaves", "rug", "scarf/scarves", "blanket", "shawl"),
  ...waresOf("smith", "forges", "nail", "key", "bell", "knife/knives"),
  ...waresOf("gardener", "picks", "plum", "apple", "rose", "onion"),
  ...waresOf("joiner", "builds", "stool", "chest", "ladder", "crate"),
];

export const colours = ["red", "blue", "green", "white", "black", "small", "big"] as const;
export const places = ["mill", "harbour", "market", "bridge", "school", "inn", "well", "tower", "farm", "ferry"] as const;
export const hours = ["dawn", "noon", "dusk", "night"] as const;

/** What a person does about the weather; `{they}` stands for the pronoun. */
export const weathers = {
  rain: "{they} wears a hood",
  snow: "{they} walks slowly",
  wind: "{they} holds on tight",
  fog: "{they} carries a lamp",
  sun: "{they} sings a song",
} as const;
export type Weather = keyof typeof weathers;
export const weatherNames = Object.keys(weathers) as Weather[];

const words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"] as const;
export const numberWord = (n: number): string => words[n]!;

/** `three red bowls`, `one small eel`. */
export const counted = (count: number, ware: Ware, colour?: string): string =>
  [numberWord(count), colour, count === 1 ? ware.one : ware.many].filter(Boolean).join(" ");

export const capital = (text: string): string => text[0]!.toUpperCase() + text.slice(1);
