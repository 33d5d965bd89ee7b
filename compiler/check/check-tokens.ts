// What a method computes over the tokens of a row: it can be trained and scored, where whole rows are seen, and not written with, where one
// token comes after another. Found in the unfolded graph, by what came from the text of a method.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import type { EvaluatePlan } from "../blocks/evaluate-block.ts";
import type { Node } from "../graph/graph.ts";
import { alongTokens } from "../graph/over-tokens.ts";
import type { Model } from "../unfold/elaborate.ts";
import type { Context } from "../values/expressions.ts";

const within = (inner: tree.Span, outer: tree.Span): boolean =>
  inner.file === outer.file && outer.start <= inner.start && inner.end <= outer.end;

/** The first node of a method's text that computes over the tokens of a row, and whose it is. */
export const overTokens = (
  adapters: readonly AdapterPlan[],
  model: Model,
): { readonly node: Node; readonly method: string } | undefined => {
  const methods = adapters.flatMap(({ injections }) => injections.map(({ method }) => method));
  const seen = new Set<unknown>();
  for (const { graph } of model.stages) {
    if (seen.has(graph)) continue;
    seen.add(graph);
    for (const node of graph.nodes) {
      const method = methods.find(({ at }) => node.origin.some((span) => within(span, at)));
      if (method && alongTokens(node)) return { node, method: method.name.text };
    }
  }
  return undefined;
};

/** Reports every `generate` for what computes over the tokens of a row. */
export const checkTokens = (
  name: string,
  adapters: readonly AdapterPlan[],
  model: Model,
  evaluates: readonly EvaluatePlan[],
  context: Context,
): void => {
  const found = overTokens(adapters, model);
  if (!found) return;
  const { node, method } = found;
  for (const { item, subject, generate } of evaluates) {
    if (subject !== name || !generate) continue;
    context.report(
      diagnostics.no_token_by_token(
        item.entries.find(({ key }) => key.text === "generate")?.at ?? item.at,
        { adapter: name, method, op: node.op },
        {
          notes: node.origin.length > 0 ? [{ message: "here it is computed over a whole row", at: node.origin.at(-1)! }] : [],
          help: "evaluate it without `generate`, or let the method compute for each token alone",
        },
      ),
    );
  }
};
