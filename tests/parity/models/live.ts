// Asks transformers about one case, through a Python that goes on answering.

import type { PythonSession } from "../python.ts";
import { type Case, labels, newTokens, rows } from "./cases.ts";
import type { Theirs } from "./compare.ts";

const rounded = (value: unknown): unknown =>
  typeof value === "number"
    ? Number(value.toPrecision(8))
    : Array.isArray(value)
      ? value.map(rounded)
      : typeof value === "object" && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rounded(inner)]))
        : value;

/** The checkpoint is written into `folder`. */
export const ask = async (python: PythonSession, one: Case, folder: string): Promise<Theirs> =>
  rounded(
    await python.ask({
      class: one.class,
      attention: one.attention ?? "eager",
      config: one.config,
      folder,
      ids: rows,
      labels,
      generate: newTokens,
    }),
  ) as Theirs;
