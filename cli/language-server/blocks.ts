// What each block of a pipeline may hold, from the tables that the checker itself reads: so a key that is completed is a key that
// is accepted.

import { dataTable } from "../../compiler/blocks/data-block.ts";
import { evaluateTable } from "../../compiler/blocks/evaluate-block.ts";
import { trainTable } from "../../compiler/blocks/pipeline.ts";
import type { Setting } from "../../compiler/blocks/settings.ts";
import type { Item } from "../../grammar/tree.ts";

export interface Block {
  readonly sign: ":" | "=";
  readonly keys: Readonly<Record<string, Setting>>;
}

export const blocks: Partial<Record<Item["kind"], Block>> = {
  data: { sign: "=", keys: dataTable },
  train: { sign: ":", keys: trainTable },
  evaluate: { sign: ":", keys: evaluateTable },
};

/** A setting's type as a person would say it. */
export const typeOf = ({ type }: Setting): string => {
  if (typeof type === "object") return type.oneOf.join(" | ");
  return { any: "…", call: "name(…)", every: "every N steps", list: "[…]", int: "int", float: "float", bool: "bool", string: "string" }[
    type
  ];
};
