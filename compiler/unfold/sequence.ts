// What a model reads of a batch, as the record that an architecture's forward is given. A field becomes an input of the stage that
// reads it, the first time it is read.

import type { TensorType } from "../graph/graph.ts";
import { none, type Value } from "../values/values.ts";

/**
 * What the model reads of a batch, each [b rows, t tokens]. `ends`: of each token, the last of its row that is no
 * padding. The last two of packed rows alone. */
const sequenceFields = ["ids", "positions", "ends", "slots", "starts"] as const;
const sourceFields = ["ids", "positions", "ends"] as const;
const perSourceToken: TensorType = { dtype: "i32", shape: ["b", "u"] };
export const perToken: TensorType = { dtype: "i32", shape: ["b", "t"] };

export type Batch = (name: string, type: TensorType) => Value;

/** What an encoder reads while the sequence is what the decoder writes. */
const sourceRecord = (batch: Batch): Value => ({
  kind: "record",
  name: "the sequence's source",
  fields: (name) => (sourceFields.some((field) => field === name) ? batch(`source.${name}`, perSourceToken) : undefined),
  names: () => sourceFields,
});
/** Channels, height and width of the pictures that an architecture reads, as its `let picture` says. */
export const pictureOf = (sizes: ReadonlyMap<string, Value>): readonly number[] | undefined => {
  const said = sizes.get("picture");
  const dims = said?.kind === "list" ? said.items.flatMap((item) => (item.kind === "number" ? [item.value] : [])) : [];
  return dims.length === 3 ? dims : undefined;
};

export const sequenceRecord = (batch: Batch, packed: boolean, picture?: readonly number[]): Value => ({
  kind: "record",
  name: "the sequence",
  fields: (name) => {
    if (name === "source") return sourceRecord(batch);
    if (name === "pixels" && picture) return batch("pixels", { dtype: "f32", shape: ["b", ...picture] });
    if (!sequenceFields.some((field) => field === name)) return undefined;
    if (packed || name === "ids" || name === "positions" || name === "ends") return batch(name, perToken);
    return name === "slots" ? batch("positions", perToken) : none;
  },
  names: () => [...sequenceFields, "source", ...(picture ? ["pixels"] : [])],
});
