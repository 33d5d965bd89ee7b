// Where an adapter's tensors lie: parameters, gradients and each state of its optimizer flat in an arena each, whole, in the chunks
// that one dispatch takes, and in pages where state is paged; and what the whole job needs, by part.

import type { Evaluate, Program, Train, Value } from "../../spec/job.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import type { TensorType } from "../graph/graph.ts";
import { accumulatedOf, gradientOf } from "../unfold/stage.ts";
import { type Dim, product } from "../values/dims.ts";
import { aligned, bytesOf, extentOf } from "./place.ts";
import { chunkOf, pagesOf, type Update } from "./update.ts";

/** f32 elements of an adapter's flat arena, padding included. */
export const arenaElements = (adapter: AdapterPlan): number =>
  adapter.params.filter((param) => param.trained).reduce((sum, param) => sum + aligned(4 * Number(product(param.shape))) / 4, 0);

/** Where rates change along the arena: each from its element on, in multiples of the training's. Empty when all are the same. */
export const ratesOf = (adapter: AdapterPlan): { readonly from: number; readonly ratio: number }[] => {
  const rates: { from: number; ratio: number }[] = [];
  let from = 0;
  for (const param of adapter.params) {
    if (!param.trained) continue;
    const ratio = param.rate ?? 1;
    if (rates.at(-1)?.ratio !== ratio) rates.push({ from, ratio });
    from += aligned(4 * Number(product(param.shape))) / 4;
  }
  return rates.length === 1 && rates[0]!.ratio === 1 ? [] : rates;
};

export const placeAdapter = (
  adapter: AdapterPlan,
  update: Update | undefined,
  accumulating: boolean,
  training: boolean,
  used: ReadonlySet<string>,
  put: (arena: string, types: readonly (readonly [string, TensorType])[]) => void,
  globals: Map<string, Value>,
  f32: (shape: readonly Dim[]) => TensorType,
): void => {
  const trained = adapter.params.filter((param) => param.trained);
  put(
    `${adapter.name}.parameters`,
    trained.map((param) => [param.name, f32(param.shape)]),
  );
  const elements = arenaElements(adapter);
  const chunk = chunkOf(elements, ratesOf(adapter));
  const flat = (name: string): void => {
    globals.set(name, { ...f32([elements]), place: { arena: name, offset: 0 } });
    for (let i = 0; i * chunk < elements && elements > chunk; i++)
      globals.set(`${name}[${i}]`, { ...f32([Math.min(chunk, elements - i * chunk)]), place: { arena: name, offset: 4 * i * chunk } });
  };
  flat(`${adapter.name}.parameters`);
  for (const param of adapter.params)
    if (!param.trained) globals.set(param.name, { dtype: param.dtype, shape: param.shape, place: { own: true } });
  if (!training) return;
  put(
    `${adapter.name}.gradients`,
    trained.map((param) => [gradientOf(param.name), f32(param.shape)]),
  );
  flat(`${adapter.name}.gradients`);
  const whole = (name: string): void => {
    put(name, [[name, f32([elements])]]);
    flat(name);
  };
  if (accumulating) whole(`${adapter.name}.accumulated`);
  const apart = trained.map((param) => [accumulatedOf(param.name), f32(param.shape)] as const);
  if (apart.some(([name]) => used.has(name))) put(`${adapter.name}.accumulated`, apart);
  const states = update?.states.map((state) => `${adapter.name}.${state.name}`) ?? [];
  if (!update?.pages) {
    for (const name of states) whole(name);
    return;
  }
  const pages = pagesOf(elements);
  for (const name of [`${adapter.name}.parameters`, `${adapter.name}.${accumulating ? "accumulated" : "gradients"}`])
    for (const [i, { first, count }] of pages.entries())
      globals.set(`${name}{${i}}`, { ...f32([count]), place: { arena: name, offset: 4 * first } });
  for (const name of states) {
    put(name, [[`${name}[page]`, f32([pages[0]?.count ?? 0])]]);
    for (const { count, place } of pages) globals.set(`${name}[${place}]`, { ...f32([count]), place: { arena: name, offset: 0 } });
    globals.set(name, { ...f32([elements]), place: { paged: true } });
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
    const ruled = [train.before, train.after].flatMap((one) => one?.program ?? []);
    const own = extentOf(programs[train.step]!.values, programs[train.step]!.dims);
    plan[`train ${train.adapter}`] = Math.max(
      plan[`train ${train.adapter}`] ?? 0,
      programs[train.step]!.peak +
        plan[`${train.adapter}.optimizer`]! +
        // What methods bind of a step is computed once the micro-batches are done, in the same memory.
        Math.max(0, ...ruled.map((name) => extentOf(programs[name]!.values, programs[name]!.dims) - own)),
      // Gradients and optimizer state stay where they are while it is evaluated.
      (train.evaluate ? programs[train.evaluate.program]!.peak : 0) +
        plan[`${train.adapter}.optimizer`]! +
        (arenas[`${train.adapter}.gradients`] ?? 0) +
        (arenas[`${train.adapter}.accumulated`] ?? 0),
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
