// A pipeline in the making: what a tool's table fills in, key by key, and `assemble` writes down. Values are text of the language.

import type { Library } from "../../compiler/blocks/resolve.ts";
import type { Given } from "./given.ts";
import type { Outcome, Reported } from "./outcome.ts";

/** A file the pipeline needs, and where it comes from. */
export interface Fetch {
  readonly path: string;
  readonly from: string;
}

export interface Draft {
  base?: { readonly path: string };
  /** Bits of the stored base. */
  store?: { readonly bits: 4 | 8; double: boolean; readonly from: Given };
  /** A PEFT configuration, by PEFT's own keys, whichever tool it came from; undefined trains every parameter. */
  readonly peft: Map<string, { readonly value: unknown; readonly from: Given }>;
  /** `full` when no adapter is asked for; `loaded` when one is read in. */
  mode: "adapter" | "full" | "selective" | "loaded" | "none";
  /** Folder of the adapter that is read in. */
  loaded?: string;
  /** Patterns of the parameters that a selective run trains. */
  readonly selected: string[];
  readonly data: { splits: string[]; prompt?: string; answer?: string; chat?: ChatDraft; template?: string; lossOn?: "all" };
  readonly train: Map<string, string>;
  readonly optimizer: { name?: string; store?: string; readonly settings: Map<string, string> };
  readonly schedule: { name?: string; readonly settings: Map<string, string> };
  evaluate?: { readonly metrics: readonly string[]; readonly maxNewTokens?: number };
  merge?: string;
  readonly fetch: Fetch[];
  /** What the reader of the file should know, beyond single keys. */
  readonly notes: string[];
}

/** Where conversations are, with the settings of `messages(…)` as text of the language. */
export interface ChatDraft {
  readonly column: string;
  readonly settings: ReadonlyMap<string, string>;
}

export const emptyDraft = (): Draft => ({
  peft: new Map(),
  mode: "none",
  selected: [],
  data: { splits: [] },
  train: new Map(),
  optimizer: { settings: new Map() },
  schedule: { settings: new Map() },
  fetch: [],
  notes: [],
});

/** What a row of a tool's table sees beside the key itself. */
export interface Around {
  readonly draft: Draft;
  readonly root: Given;
  readonly library: Library;
  /** For keys inside the key: a data set's own. */
  readonly report: (given: Given, outcome: Outcome) => void;
  /** Text of a file beside the one that is imported. */
  readonly read: (path: string) => string | undefined;
}

export type Row = (given: Given, around: Around) => Outcome;

export interface Tool {
  readonly name: string;
  /** Whether the keys are this tool's. */
  readonly recognises: (root: Given) => boolean;
  /** What is wrong with a key that the table does not have. */
  readonly unknown: (given: Given, near: string | undefined) => Outcome;
  readonly rows: Readonly<Record<string, Row>>;
  /** What the tool fills in where the file says nothing. */
  readonly complete: (around: Around) => void;
}

export interface Imported {
  readonly tool: string;
  readonly text: string;
  readonly outcomes: readonly Reported[];
  readonly fetch: readonly Fetch[];
}
