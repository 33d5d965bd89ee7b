// Prompts in, continuations out, a batch at a time. The prompts go through the program once, then one token per row and step; what
// mixes time keeps its past in caches. Rows of different length share a batch without a mask: a token sees only cache slots up to its
// own position, and padding beyond a row's end is overwritten before anything may see it. Searches say which rows go on (search.ts);
// when that is not every row in its place, the caches' rows are moved to where they are wanted, so finished prompts cost nothing.

import type { Generation, Job } from "../../spec/job.ts";
import { writeSource } from "../data/sources.ts";
import type { Session } from "../devices/device.ts";
import { beamSearch } from "./beam.ts";
import { lineSearch } from "./line.ts";
import type { Search } from "./search.ts";

export interface GenerateOptions {
  readonly job: Pick<Job, "programs" | "base">;
  readonly program: string;
  /** Slots in front of each prompt for virtual tokens. */
  readonly virtual?: number | undefined;
  readonly settings: Generation;
  /** Where an encoder reads the prompts: their ids; the prompts above are then what the decoder begins from. */
  readonly sources?: readonly (readonly number[])[] | undefined;
  /** For a bank of adapters: the place of each prompt's. */
  readonly places?: readonly number[] | undefined;
  /** Ids that end a row. */
  readonly stops: readonly number[];
  /** Whether what was written holds a text that ends it; absent when there is none. */
  readonly ended?: ((ids: readonly number[]) => boolean) | undefined;
  readonly done?: (prompts: number) => void;
  /** Ids that were written for a prompt so far, after each; where one line is followed to its end. */
  readonly told?: ((prompt: number, ids: readonly number[]) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Ids of each continuation, without the prompt and without the id that ended it. Prompts longer than the program takes keep their end. */
export const generate = async (
  prompts: readonly (readonly number[])[],
  session: Session,
  options: GenerateOptions,
): Promise<(readonly number[])[]> => {
  const { job, program, settings } = options;
  const width = settings.kind === "beam" ? (settings.width ?? 4) : 1;
  const size = Math.max(1, Math.floor(job.programs[program]!.dims.b! / width));
  const results: (readonly number[])[] = new Array(prompts.length);
  // Prompts of like length together: then little of the first run is padding.
  const order = prompts.map((_, i) => i).sort((a, b) => prompts[a]!.length - prompts[b]!.length || a - b);
  for (let at = 0; at < order.length && !options.signal?.aborted; at += size) {
    const names = order.slice(at, at + size);
    const answers = await generateBatch(
      names.map((i) => prompts[i]!),
      names,
      session,
      options,
    );
    for (const [k, i] of names.entries()) results[i] = answers[k]!;
    options.done?.(Math.min(order.length, at + size));
  }
  return results;
};

const round8 = (n: number): number => Math.ceil(n / 8) * 8;

const generateBatch = async (
  all: readonly (readonly number[])[],
  names: readonly number[],
  session: Session,
  { job, program, virtual = 0, settings, places, sources, stops, ended = () => false, told, signal }: GenerateOptions,
): Promise<(readonly number[])[]> => {
  const { dims, calls } = job.programs[program]!;
  const vocabulary = job.base.vocab_size;
  const caches = [...new Set(calls.flatMap(({ outputs }) => outputs.filter((name) => name.startsWith("cache("))))];
  const prompts = all.map((prompt) => prompt.slice(virtual - dims.t!));
  const longest = virtual + Math.max(...prompts.map((prompt) => prompt.length));
  // No more slots than this batch can fill: moving rows then moves less.
  const s = Math.min(dims.s!, round8(longest + settings.max_new_tokens));
  const stopIds = new Set(stops);
  const searches = prompts.map((prompt, i): Search => {
    const room = Math.max(1, Math.min(settings.max_new_tokens, s - virtual - prompt.length + 1));
    const options = { prompt, name: names[i]!, room, stops: stopIds, ended };
    return settings.kind === "beam" ? beamSearch(settings, options) : lineSearch(settings, options);
  });

  const u = sources && Math.min(dims.u!, round8(Math.max(...names.map((name) => sources[name]!.length))));
  const run = async (b: number, t: number): Promise<Float32Array> => {
    await session.run(program, { b, t, n: b, s, ...(u !== undefined && { u }) });
    return (await session.read("logits", program)) as Float32Array;
  };
  let b = prompts.length;
  const t = Math.min(round8(longest), dims.t!);
  const ids = new Int32Array(b * t);
  const positions = new Int32Array(b * t);
  const lasts = new Int32Array(b);
  for (const [row, prompt] of prompts.entries()) {
    ids.set(prompt, row * t + virtual);
    for (let i = 0; i < t; i++) positions[row * t + i] = i;
    lasts[row] = row * t + virtual + prompt.length - 1;
  }
  let which = places && Int32Array.from(names, (name) => places[name]!);
  if (which) await session.write("which", which);
  let asked = names.map((_, i) => i);
  const writeSources = async (): Promise<void> => {
    if (sources && u !== undefined)
      await writeSource(
        session,
        asked.map((i) => sources[names[i]!]!),
        u,
      );
  };
  await writeSources();
  await session.write("ids", ids);
  await session.write("positions", positions);
  await session.write("rows", lasts);
  let logits = await run(b, t);
  await session.write(
    "rows",
    Int32Array.from({ length: dims.b! }, (_, row) => row),
  );

  /** Which search has which rows, in order. */
  let active = searches.map((search, i) => ({ search, prompt: i, rows: 1 }));
  for (let k = 0; ; k++) {
    const from: number[] = [];
    const next: number[] = [];
    const where: number[] = [];
    const still: typeof active = [];
    let row = 0;
    for (const { search, prompt, rows } of active) {
      const start = row;
      row += rows;
      const own = Array.from({ length: rows }, (_, i) => logits.subarray((start + i) * vocabulary, (start + i + 1) * vocabulary));
      const step = search.advance(own);
      if (settings.kind !== "beam") told?.(names[prompt]!, search.answer());
      if (!step) continue;
      for (const [i, source] of step.from.entries()) {
        from.push(start + source);
        next.push(step.ids[i]!);
        where.push(virtual + prompts[prompt]!.length + k);
      }
      still.push({ search, prompt, rows: step.from.length });
    }
    active = still;
    if (active.length === 0 || signal?.aborted) return searches.map((search) => search.answer());
    if (from.length !== b || from.some((source, i) => source !== i)) {
      if (which) {
        which = Int32Array.from(from, (source) => which![source]!);
        await session.write("which", which);
      }
      asked = from.map((source) => asked[source]!);
      await writeSources();
      await session.move(caches, Int32Array.from(from), { b: Math.max(b, from.length), s }, longest + k);
    }
    b = from.length;
    await session.write("ids", Int32Array.from(next));
    await session.write("positions", Int32Array.from(where));
    logits = await run(b, 1);
  }
};
