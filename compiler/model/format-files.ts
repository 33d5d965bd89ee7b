// A format's `interop` -> how another library's checkpoint holds a tensor stored in it: a tensor for each piece, the codebook, and the
// settings that it keeps beside them. Names are the text's; "" is the tensor's own name, ".x" follows it, "x" replaces its last part.

import type * as tree from "../../grammar/tree.ts";
import type { FormatFiles } from "../../spec/job-formats.ts";
import type { Node } from "../graph/graph.ts";
import { type Context, evaluate } from "../values/expressions.ts";
import type { Scope, Value } from "../values/values.ts";

type Entry = FormatFiles["entries"][number];
type Tensor = FormatFiles["tensors"][number];

/** What the states of the format are: their nodes, and how one that is stored in another format is filed. */
export interface FiledStates {
  /** Name of the state that this node stands for. */
  readonly stateOf: (node: Node) => string | undefined;
  readonly filesOf: (state: string, library: string) => FormatFiles | undefined;
}

export const readFiles = (
  member: tree.InteropMember,
  scope: Scope,
  code: Node,
  states: FiledStates,
  context: Context,
  wrong: (at: tree.Span, problem: string, help?: string) => undefined,
): FormatFiles | undefined => {
  const entries: Entry[] = [];
  const tensors: Tensor[] = [];
  const pieceOf = (value: Value): string | undefined => {
    if (value.kind !== "tensor") return undefined;
    if (value.node === code) return ".code";
    const state = states.stateOf(value.node);
    return state === undefined ? undefined : `.${state}`;
  };
  for (const { key, value: expr } of member.config) {
    const value = evaluate(expr, scope, context);
    const piece = pieceOf(value);
    if (piece) entries.push({ key: key.text, piece });
    else if (value.kind === "number" || value.kind === "text" || value.kind === "bool") entries.push({ key: key.text, value: value.value });
    else if (value.kind !== "unknown") wrong(expr.at, `\`${key.text}\` is neither a setting nor a piece of the format`);
  }
  for (const { key, value: expr } of member.tensors) {
    const value = evaluate(expr, scope, context);
    const piece = pieceOf(value);
    const inner = piece && piece !== ".code" ? states.filesOf(piece.slice(1), member.library.text) : undefined;
    if (inner) {
      // The state's own code lies under the key; what belongs to it beside that follows the tensor, as the rest does.
      for (const tensor of inner.tensors)
        tensors.push({
          ...tensor,
          key: tensor.key === "" ? key : tensor.key,
          ...(tensor.piece !== undefined && { piece: piece + tensor.piece }),
        });
      for (const entry of inner.entries)
        entries.push("piece" in entry && entry.piece !== undefined ? { ...entry, piece: piece + entry.piece } : entry);
    } else if (piece) tensors.push({ key, piece });
    else if (value.kind === "list")
      tensors.push({ key, table: value.items.map((item) => (item.kind === "number" ? item.value : Number.NaN)) });
    else if (value.kind === "number") tensors.push({ key, value: value.value });
    else if (value.kind !== "unknown") wrong(expr.at, `\`${key}\` is no piece of the format, no codebook and no number`);
  }
  return { library: member.library.text, type: member.type.text, entries, tensors };
};
