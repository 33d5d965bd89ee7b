// Texts in, texts out: prompts are encoded as training encoded them, answers are decoded and end before the text that stopped them.

import type { Generation, Job } from "../../spec/job.ts";
import { encodePrompt } from "../data/encode-row.ts";
import { encodeSource } from "../data/sources.ts";
import type { Session } from "../devices/device.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { cutAt, flowOf } from "./flow.ts";
import { generate } from "./generate.ts";

export interface AnswerOptions {
  readonly job: Pick<Job, "programs" | "base">;
  readonly program: string;
  /** Slots in front of each prompt for virtual tokens. */
  readonly virtual?: number | undefined;
  /** Most tokens of a prompt, where an encoder reads it. */
  readonly source?: number | undefined;
  /** Prompts say all that the model reads: the tokenizer puts nothing before them. */
  readonly bare?: boolean | undefined;
  readonly settings: Generation;
  /** For a bank of adapters: the place of each prompt's. */
  readonly places?: readonly number[] | undefined;
  readonly done?: (prompts: number) => void;
  /** Text of an answer as it is written; a beam's comes when it is whole. */
  readonly told?: ((prompt: number, more: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Answers {
  readonly texts: readonly string[];
  /** Ids that were written, ends left out. */
  readonly tokens: number;
}

export const answerPrompts = async (
  prompts: readonly string[],
  tokenizer: Tokenizer,
  session: Session,
  { job, program, virtual, source, bare, settings, places, done, told, signal }: AnswerOptions,
): Promise<Answers> => {
  const stop = settings.stop ?? [];
  // A stop text has few characters; the last ids of an answer hold it as soon as it is there.
  const reach = 2 + Math.max(0, ...stop.map((text) => new TextEncoder().encode(text).length));
  const flows = prompts.map(() => flowOf((ids) => tokenizer.decode(ids), stop));
  const written = await generate(
    // A model cannot begin from nothing: an empty prompt begins where texts begin.
    prompts
      .map((prompt) => (source !== undefined ? [job.base.start ?? 0] : bare ? tokenizer.encode(prompt) : encodePrompt(tokenizer, prompt)))
      .map((ids) => (ids.length ? ids : [tokenizer.bos ?? tokenizer.eos ?? 0])),
    session,
    {
      job,
      program,
      virtual,
      sources: source === undefined ? undefined : prompts.map((prompt) => encodeSource(tokenizer, prompt, source).ids),
      settings,
      places,
      stops: tokenizer.stops,
      ...(stop.length && {
        ended: (ids) => {
          const tail = tokenizer.decode(ids.slice(-reach));
          return stop.some((text) => tail.includes(text));
        },
      }),
      ...(done && { done }),
      ...(told && {
        told: (prompt, ids) => {
          const more = flows[prompt]!.more(ids);
          if (more) told(prompt, more);
        },
      }),
      signal,
    },
  );
  if (told)
    for (const [prompt, ids] of written.entries()) {
      const rest = flows[prompt]!.rest(ids);
      if (rest) told(prompt, rest);
    }
  return {
    texts: written.map((ids) => cutAt(tokenizer.decode(ids), stop)),
    tokens: written.reduce((sum, ids) => sum + ids.length, 0),
  };
};
