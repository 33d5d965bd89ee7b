// Where an adapter's tensors lie: parameters, gradients and each state of its optimizer flat in an arena each, whole, in the chunks
// that one dispatch takes, and in pages where state is paged; and what the whole job needs, by part.

import type { Evaluate, Program, Train, Value } from "../../spec/job.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import type { TensorType } from "../graph/graph.ts";
import { accumulatedOf, gradientOf } from "../unfold/stage.ts";
import type { Dim } from "../values/dims.ts";
import { type Arena, arraysOf, chunksOf, pagesOf } from "./arena.ts";
import { bytesOf, extentOf } from "./place.ts";
import type { Update } from "./update.ts";

export const placeAdapter = (
  adapter: AdapterPlan,
  arena: Arena,
  update: Update | undefined,
  accumulating: boolean,
  training: boolean,
  used: ReadonlySet<string>,
  put: (arena: string, types: readonly (readonly [string, TensorType])[]) => void,
  globals: Map<string, Value>,
  f32: (shape: readonly Dim[]) => TensorType,
): void => {
  const { elements, places } = arena;
  const chunks = chunksOf(arena);
  /** Values that lie in an arena of their name as their parameters do among the parameters; and the whole, and its chunks. */
  const flat = (name: string, nameOf: (param: string) => string): void => {
    put(name, [[name, f32([elements])]]);
    const at = (first: number): Value["place"] => ({ arena: name, offset: 4 * first });
    for (const { param, first } of places) globals.set(nameOf(param.name), { ...f32(param.shape), place: at(first) });
    if (chunks.length > 1)
      for (const [i, { first, count }] of chunks.entries()) globals.set(`${name}[${i}]`, { ...f32([count]), place: at(first) });
  };
  flat(`${adapter.name}.parameters`, (name) => name);
  for (const param of adapter.params)
    if (!param.trained) globals.set(param.name, { dtype: param.dtype, shape: param.shape, place: { own: true } });
  if (!training) return;
  flat(`${adapter.name}.gradients`, gradientOf);
  const apart = places.some(({ param }) => used.has(accumulatedOf(param.name)));
  if (accumulating || apart) flat(`${adapter.name}.accumulated`, accumulatedOf);
  if (update) placeStates(adapter.name, arena, update, accumulating, put, globals);
};

/** Where optimizer state lies: each array in an arena of its name, or outside the device's memory, with room for one page of it. */
const placeStates = (
  adapter: string,
  arena: Arena,
  update: Update,
  accumulating: boolean,
  put: (arena: string, types: readonly (readonly [string, TensorType])[]) => void,
  globals: Map<string, Value>,
): void => {
  const parts = update.pages ? pagesOf(arena) : chunksOf(arena);
  if (update.pages)
    for (const name of [`${adapter}.parameters`, `${adapter}.${accumulating ? "accumulated" : "gradients"}`])
      for (const [i, { first, count }] of parts.entries())
        globals.set(`${name}{${i}}`, { dtype: "f32", shape: [count], place: { arena: name, offset: 4 * first } });
  for (const { name: state } of update.states)
    for (const { suffix, type, rangeOf } of arraysOf(arena, state)) {
      const name = `${adapter}.${state}${suffix}`;
      const of = (count: number): TensorType => ({ dtype: type.dtype, shape: [count] });
      const ranges = parts.map(rangeOf);
      if (!update.pages) {
        put(name, [[name, type]]);
        if (parts.length > 1)
          for (const [i, range] of ranges.entries())
            if (range) globals.set(`${name}[${i}]`, { ...of(range.count), place: { arena: name, offset: bytesOf(of(range.from), {}) } });
        continue;
      }
      put(name, [[`${name}{}`, of(Math.max(...ranges.map((range) => range?.count ?? 0)))]]);
      for (const [i, range] of ranges.entries())
        if (range) globals.set(`${name}{${i}}`, { ...of(range.count), place: { arena: name, offset: 0 } });
      globals.set(name, { ...type, place: { paged: true } });
    }
};

/** What each part of the job takes, and the peak of each training, evaluation and generation; bytes. */
export const memoryPlan = (
  globals: ReadonlyMap<string, Value>,
  arenas: Readonly<Record<string, number>>,
  adapters: ReadonlyMap<string, AdapterPlan>,
  sizes: Readonly<Record<string, number>>,
  programs: Readonly<Record<string, Program>>,
  trains: readonly Train[],
  evaluates: readonly Evaluate[],
): Record<string, number> => {
  const plan: Record<string, number> = { weights: arenas.ring ?? 0, caches: 0, batch: arenas.batch ?? 0 };
  for (const [name, value] of globals)
    if ("own" in value.place) plan[name.startsWith("cache(") ? "caches" : "weights"]! += bytesOf(value, sizes);
  for (const name of adapters.keys())
    for (const part of ["parameters", "gradients", "accumulated"])
      if (arenas[`${name}.${part}`] !== undefined) plan[`${name}.${part}`] = arenas[`${name}.${part}`]!;
  for (const train of trains) {
    const kept = arenas[`${train.adapter}.states`] ?? 0;
    plan[`${train.adapter}.optimizer`] = train.state.reduce((sum, { value }) => sum + (arenas[value] ?? 0), kept);
    const ruled = [...[train.before, train.after].flatMap((one) => one?.program ?? []), ...updatesOf(train)];
    const own = extentOf(programs[train.step]!.values, programs[train.step]!.dims);
    // Gradients and optimizer state stay where they are while it is evaluated.
    if (train.evaluate)
      plan[`${train.adapter}.evaluation`] =
        programs[train.evaluate.program]!.peak +
        plan[`${train.adapter}.optimizer`]! +
        (arenas[`${train.adapter}.gradients`] ?? 0) +
        (arenas[`${train.adapter}.accumulated`] ?? 0);
    plan[`train ${train.adapter}`] = Math.max(
      plan[`train ${train.adapter}`] ?? 0,
      programs[train.step]!.peak +
        plan[`${train.adapter}.optimizer`]! +
        // What methods bind of a step, and the update, is computed once the micro-batches are done, in the same memory.
        Math.max(0, ...ruled.map((name) => extentOf(programs[name]!.values, programs[name]!.dims) - own)),
      plan[`${train.adapter}.evaluation`] ?? 0,
    );
    if (train.observe) {
      const passes = Object.entries(programs).flatMap(([name, program]) =>
        name.startsWith(`observe(${train.adapter}).`) ? [program] : [],
      );
      const held = plan[`${train.adapter}.optimizer`]! + (arenas[`${train.adapter}.gradients`] ?? 0);
      plan[`train ${train.adapter}`] = Math.max(plan[`train ${train.adapter}`]!, ...passes.map(({ peak }) => peak + held));
      // On the host, in double precision and then in single.
      const sumsOf = ({ outputs, values }: Program): number => outputs.reduce((sum, name) => sum + 3 * bytesOf(values[name]!, sizes), 0);
      plan[`observed ${train.adapter}`] = Math.max(0, ...passes.map(sumsOf));
    }
    if (train.keep_best) plan[`${train.adapter}.best`] = arenas[`${train.adapter}.parameters`] ?? 0;
  }
  for (const { subject, program, generator } of evaluates) {
    plan[`evaluate ${subject}`] = Math.max(plan[`evaluate ${subject}`] ?? 0, programs[program]!.peak);
    if (generator) plan[`generate ${subject}`] = Math.max(plan[`generate ${subject}`] ?? 0, programs[generator]!.peak);
  }
  plan.activations = arenas.activations ?? 0;
  return plan;
};

/** The programs that move parameters. */
const updatesOf = ({ update, pages }: Train): string[] => pages?.map(({ program }) => program) ?? [update];
