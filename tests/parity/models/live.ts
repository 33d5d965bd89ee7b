// Asks transformers about one case, through a Python that goes on answering.

import type { PythonSession } from "../python.ts";
import { answerLabels, type Case, classes, ends, labels, maskedLabels, newTokens, pixelsOf, rows, written } from "./cases.ts";
import type { Theirs } from "./compare.ts";
import type { Stored } from "./lora.ts";

const rounded = (value: unknown): unknown =>
  typeof value === "number"
    ? Number(value.toPrecision(8))
    : Array.isArray(value)
      ? value.map(rounded)
      : typeof value === "object" && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rounded(inner)]))
        : value;

const nested = (flat: readonly number[], [size = 1, ...rest]: readonly number[]): unknown => {
  const step = flat.length / size;
  return rest.length === 0 ? flat : Array.from({ length: size }, (_, i) => nested(flat.slice(i * step, (i + 1) * step), rest));
};

/** The checkpoint is written into `folder`. `whole`: all keys of its configuration are told, too. */
export const ask = async (python: PythonSession, one: Case, folder: string, lora?: Stored, whole = false): Promise<Theirs> => {
  const attention_mask = ends.map((end) => Array.from({ length: rows[0]!.length }, (_, i) => (i <= end ? 1 : 0)));
  const question = {
    class: one.class,
    attention: one.attention ?? "eager",
    config: one.config,
    folder,
    ids: rows,
    whole,
    ...(lora && { lora }),
  };
  const answer =
    one.task === "answer"
      ? await python.ask({
          ...question,
          more: { attention_mask, decoder_input_ids: written },
          shift: false,
          labels: answerLabels,
          generate: newTokens,
        })
      : one.task === undefined
        ? await python.ask({ ...question, labels, generate: newTokens })
        : await python.ask({
            ...question,
            ...(one.picture && { ids: undefined }),
            more: one.picture ? { pixel_values: nested([...pixelsOf(one.picture)], [2, ...one.picture]) } : { attention_mask },
            shift: false,
            labels: one.task === "classes" ? classes : maskedLabels,
          });
  return rounded(answer) as Theirs;
};
