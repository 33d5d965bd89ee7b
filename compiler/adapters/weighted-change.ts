// A value and several changed versions of it -> the value plus the weighted sum of the changes. Where a version is the value plus
// something, the change is that something: no whole matrix is subtracted that was only just added, and thin products stay
// thin for association to order. So a sum of low-rank adapters is exact and costs what its terms cost.

import type { Graph, Node } from "../graph/graph.ts";

/** `changed − before`, without a subtraction where `changed` is `before` plus something. */
export const changeOf = (graph: Graph, before: Node, changed: Node): Node =>
  changed === before ? graph.constant(0, before.type.shape) : (without(graph, changed, before) ?? graph.add("sub", [changed, before]));

/** `before` is undefined where there was nothing (an absent bias): then a version is its own change. */
export const weightedChange = (
  graph: Graph,
  before: Node | undefined,
  versions: readonly { readonly changed: Node; readonly weight: number }[],
): Node => {
  const changes = versions.map(({ changed, weight }) => {
    const change = before ? changeOf(graph, before, changed) : changed;
    return weight === 1 ? change : graph.add("mul", [graph.constant(weight), change]);
  });
  return changes.reduce((sum, change) => (sum ? graph.add("add", [sum, change]) : change), before)!;
};

/** `sum` with one addend `part` taken out; undefined where it is not one, or where nothing would be left. */
const without = (graph: Graph, sum: Node, part: Node): Node | undefined => {
  if (sum.op !== "add" && sum.op !== "sub") return undefined;
  const [a, b] = sum.inputs as [Node, Node];
  // A rest that would spread over fewer axes than the sum is no stand-in for it.
  const whole = (node: Node): boolean => node.type.shape.join() === sum.type.shape.join();
  if (a === part && whole(b)) return sum.op === "add" ? b : graph.add("neg", [b]);
  if (sum.op === "add" && b === part && whole(a)) return a;
  const left = without(graph, a, part);
  if (left) return graph.add(sum.op, [left, b], {}, sum.origin);
  const right = sum.op === "add" ? without(graph, b, part) : undefined;
  return right && graph.add("add", [a, right], {}, sum.origin);
};
