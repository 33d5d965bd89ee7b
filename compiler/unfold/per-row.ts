// A module amended by a bank of adapters: it is unfolded once for one row, in a graph of its own, and that graph is lifted to all
// rows (lift.ts), each with its place of the bank's parameters. Everything else in it is the same for all rows and stays so.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Choice } from "../adapters/layers.ts";
import { createGraph, type Node, type TensorType } from "../graph/graph.ts";
import type { Instance } from "../model/instantiate.ts";
import { type Context, reportThrough } from "../values/expressions.ts";
import { type TensorValue, unknown, type Value } from "../values/values.ts";
import { type Lifted, lift, rowsOf } from "./lift.ts";
import type { Stage, StageInput } from "./stage.ts";

/** What of elaboration this needs: the open stages, the last of which is being unfolded. */
export interface Unfolding {
  readonly report: Context["report"];
  readonly stages: Stage[];
  readonly addInput: (name: string, type: TensorType, from: StageInput) => Node;
  readonly use: (tensor: TensorValue) => Node;
}

export interface RowCall {
  readonly instance: Instance;
  readonly bank: string;
  readonly args: readonly Value[];
  readonly at: tree.Span;
  readonly through: Context["through"];
}

/** The bank that amends this very module, if one does. */
export const bankOf = ({ layers }: Choice, { amendments }: Instance): string | undefined => {
  for (const layer of layers)
    if (layer.kind === "rows" && amendments.some(({ adapter }) => adapter === layer.adapter)) return layer.adapter;
  return undefined;
};

/** `unfold` calls the module with one row's arguments, in the stage that is open then. */
export const callPerRow = (
  { report, stages, addInput, use }: Unfolding,
  { instance, bank, args, at, through }: RowCall,
  unfold: (args: readonly Value[]) => Value,
): Value => {
  const current = (): Stage => stages.at(-1)!;
  const tensorOf = (node: Node): TensorValue => ({ kind: "tensor", node, stage: stages.length - 1 });
  const given = args.map((value) => (value.kind === "tensor" ? use(value) : undefined));
  const ends = new Map<Node, Lifted>();
  stages.push({ name: current().name, graph: createGraph(), inputs: new Map(), outputs: [] });
  const row = args.map((value, i) => {
    const node = given[i];
    if (!node) return value;
    const one = current().graph.input(`row${i}`, { dtype: node.type.dtype, shape: node.type.shape.slice(1) });
    ends.set(one, { node, lifted: true });
    return tensorOf(one);
  });
  const result = unfold(row);
  const alone = stages.pop()!;
  if (result.kind !== "tensor") return unknown;
  for (const [name, { node, from }] of alone.inputs)
    if (from.kind === "adapter" && from.param.name.startsWith(`${bank}:`)) {
      const which = addInput("which", { dtype: "i32", shape: ["b"] }, { kind: "batch", name: "which" });
      ends.set(node, {
        node: rowsOf(current().graph, addInput(name, { dtype: "f32", shape: from.param.shape }, from), which),
        lifted: true,
      });
    } else if (from.kind === "param" || from.kind === "adapter") ends.set(node, { node: addInput(name, node.type, from), lifted: false });
  const lifted = lift(current().graph, result.node, ends, "b");
  if (!("stuck" in lifted)) return tensorOf(lifted.node);
  const made = instance.amendments.find((amendment) => amendment.adapter === bank);
  return reportThrough(
    { report, through: made?.at ? [...through, made.at] : through },
    lifted.stuck.origin[0] ?? at,
    (place, details) => diagnostics.not_per_row(place, { adapter: bank, op: lifted.stuck.op }, details),
    { help: "give each adapter batches of its own: evaluate them one after the other" },
  );
};
