// Gradient ops have one output per wanted input: the attribute `wants` names them in order, so that a frozen weight costs
// neither time nor memory. This builds such a node and hands its outputs back in the order of the inputs.

import type { Attrs, Node } from "../graph/graph.ts";
import type { GradientContext } from "../graph/op.ts";

export const wantedOf = (attrs: Attrs): readonly string[] => attrs.wants as readonly string[];

/** Adds `op` over `inputs` with the wanted ones of `names`, which are those of the differentiated node's first inputs. */
export const gradientNode = (
  { graph, node, wants }: GradientContext,
  op: string,
  names: readonly string[],
  inputs: readonly Node[],
  attrs: Attrs = {},
): readonly (Node | undefined)[] => {
  const wanted = names.filter((_, i) => wants[i]);
  if (!wanted.length) return node.inputs.map(() => undefined);
  const made = graph.add(op, inputs, { ...attrs, wants: wanted });
  return node.inputs.map((_, i) => (wants[i] && names[i] ? graph.pick(made, wanted.indexOf(names[i])) : undefined));
};
