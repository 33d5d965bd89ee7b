// What adapters change of a module's weight, for the rules that combine them: one change after the other, and their weights beside.

import type { Graph, Node } from "../graph/graph.ts";
import type { Weighed } from "./amend.ts";
import type { Layer } from "./layers.ts";
import { changeOf } from "./weighted-change.ts";

/** "deltas" [members, out, in], "weights" [members, 1, 1]; `weight` gives the module's weight with these layers on. */
export const stacked = (
  of: "deltas" | "weights",
  graph: Graph,
  members: readonly Weighed[],
  weight: (layers: readonly Layer[]) => Node | undefined,
): Node | undefined => {
  if (of === "weights")
    return joined(
      graph,
      members.map((member) => graph.constant(member.weight, [1, 1, 1])),
    );
  const before = weight([]);
  if (!before) return undefined;
  const shape = [1, ...before.type.shape];
  const changes = members.map(({ layers }) => changeOf(graph, before, weight(layers) ?? before));
  return joined(
    graph,
    changes.map((change) => graph.add("reshape", [change], { shape })),
  );
};

const joined = (graph: Graph, parts: readonly Node[]): Node => (parts.length === 1 ? parts[0]! : graph.add("concat", parts, { axis: 0 }));
