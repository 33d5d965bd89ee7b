// What the runtime is told of optimizer state: its arrays, what each holds at first, and what of them a page brings in.

import type { StatePage, Train } from "../../spec/job.ts";
import { encodedConstant } from "../model/format-encode.ts";
import { type Arena, arraysOf, type Part } from "./arena.ts";
import type { Update } from "./update.ts";

type States = Update["states"];

export const stateArrays = (adapter: string, arena: Arena, states: States): Train["state"] =>
  states.flatMap(({ name, init }) => {
    const format = arena.stretches.flatMap(({ formats }) => formats.get(name) ?? [])[0];
    const pieces = format && encodedConstant(format, init);
    return arraysOf(arena, name).map(({ suffix }) => ({ value: `${adapter}.${name}${suffix}`, init: pieces?.get(suffix) ?? init }));
  });

export const statePages = (adapter: string, arena: Arena, states: States, part: Part, page: number): StatePage["state"] =>
  states.flatMap(({ name }) =>
    arraysOf(arena, name).flatMap(({ suffix, rangeOf }) => {
      const range = rangeOf(part);
      const of = `${adapter}.${name}${suffix}`;
      return range ? [{ of, from: range.from, page: `${of}{${page}}` }] : [];
    }),
  );
