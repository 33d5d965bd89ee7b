// Whether a model keeps the examples of a packed row apart: whatever mixes tokens of a row must be told where each example
// starts. That is a property of the architecture's text, so it is looked for in the graph and never assumed.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import type { TrainPlan } from "../blocks/pipeline.ts";
import { overTokens } from "../check/check-tokens.ts";
import type { Node } from "../graph/graph.ts";
import { ops } from "../ops/index.ts";
import type { Context } from "../values/expressions.ts";
import type { Model } from "./elaborate.ts";

/** `model` was elaborated for packed rows. */
export const checkPacking = (model: Model, plan: TrainPlan, on: readonly AdapterPlan[], context: Context): void => {
  const entry = plan.item.entries.find((candidate) => candidate.key.text === "packing");
  const at = entry?.at ?? plan.item.at;
  if (model.extent.virtual > 0) {
    context.report(
      diagnostics.packing_with_virtual_tokens(
        at,
        { adapter: plan.adapter },
        { help: "virtual tokens stand in front of a row, and only its first example would see them: remove `packing`" },
      ),
    );
    return;
  }
  const blind = mixesBlindly(model) ?? overTokens(on, model)?.node;
  if (blind)
    context.report(
      diagnostics.examples_not_apart(
        at,
        { op: blind.op },
        {
          notes: blind.origin.length > 0 ? [{ message: "here it is not told where examples start", at: blind.origin.at(-1)! }] : [],
          help: "let the architecture say what each token sees with `Sight`, or remove `packing`",
        },
      ),
    );
};

/** A node that mixes tokens and does not depend on where examples start. */
const mixesBlindly = (model: Model): Node | undefined => {
  const told: Set<Node>[] = [];
  for (const { graph, inputs } of model.stages) {
    const here = new Set<Node>();
    for (const { node, from } of inputs.values())
      if (from.kind === "batch" ? from.name === "starts" : from.kind === "value" && told[from.stage]!.has(from.node)) here.add(node);
    for (const node of graph.nodes) {
      // What is mixed is told by anything but the tokens themselves, which carry what was told to the layers before.
      const sources = ops.get(node.op)?.mixes === "time" ? node.inputs.filter((input) => input.type.dtype === "i32") : node.inputs;
      if (sources.some((input) => here.has(input))) here.add(node);
      else if (ops.get(node.op)?.mixes === "time") return node;
    }
    told.push(here);
  }
  return undefined;
};
