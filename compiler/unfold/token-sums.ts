// What a method computes over the tokens of a row: `mean` and `sum` along that axis are of the tokens that are no padding, so that a row
// is the same in every batch. Nothing else may go along it: its value would depend on how far the batch is padded.

import type { Span } from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Attrs, Dim, Graph, Node, TensorType } from "../graph/graph.ts";
import { alongTokens } from "../graph/over-tokens.ts";
import { axesOf } from "../ops/shape.ts";
import { type Context, reportThrough } from "../values/expressions.ts";

/** Of each token [b, t] of a sequence, the last of its row that is no padding. */
export type EndsOf = (name: "ends" | "source.ends", type: TensorType) => Node;

const endsNames: Readonly<Record<string, "ends" | "source.ends">> = { t: "ends", u: "source.ends" };

/** `node` as a method means it; undefined after a report. */
export const overTokens = (node: Node, graph: Graph, endsOf: EndsOf, at: Span, context: Context): Node | undefined => {
  if (!alongTokens(node)) return node;
  const [x] = node.inputs;
  const shape = x?.type.shape ?? [];
  const axes = axesOf(node.attrs.axes as Attrs[string], shape.length) ?? [];
  const ends = endsNames[String(shape[1])];
  if ((node.op === "mean" || node.op === "sum") && x && ends && axes.includes(1) && !axes.includes(0)) {
    const count: Dim[] = [shape[0]!, shape[1]!];
    const last = graph.add("cast", [endsOf(ends, { dtype: "i32", shape: count })], { dtype: "f32" });
    const place = graph.add("reshape", [graph.add("iota", [], { count: shape[1]! })], { shape: [1, shape[1]!] });
    // [b, t]: 1 for a token that is no padding.
    const real = graph.add("less", [place, graph.add("add", [last, graph.constant(1)])]);
    const wide = (marks: Node): Node => graph.add("reshape", [marks], { shape: [...count, ...shape.slice(2).map(() => 1)] });
    const kept = graph.add("mul", [x, wide(real)]);
    if (node.op === "sum") return graph.add("sum", [kept], node.attrs, node.origin);
    // The mean over the axis as it is, times how much longer that is than the text.
    const share = graph.add("mean", [real], { axes: [1], keep: true });
    const ones = node.type.shape.slice(1).map(() => 1);
    return graph.add(
      "div",
      [graph.add("mean", [kept], node.attrs), graph.add("reshape", [share], { shape: [shape[0]!, ...ones] })],
      {},
      node.origin,
    );
  }
  reportThrough(context, at, (place, details) => diagnostics.counts_padding(place, { op: node.op }, details), {
    help: "take a `mean` or a `sum` over the axis of tokens, which are of the tokens that are no padding",
  });
  return undefined;
};
