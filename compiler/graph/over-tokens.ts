// Nodes that are not computed for each token alone: ops that are made to mix positions, and ordinary ones over the axis of tokens, such as a
// mean over a row.

import { ops } from "../ops/index.ts";
import { symbolsOf } from "../values/dims.ts";
import type { Node } from "./graph.ts";

const holdsTokens = (dim: Node["type"]["shape"][number] | undefined): boolean => dim !== undefined && symbolsOf([dim]).includes("t");

/** Whether an ordinary op computes over the axis of tokens: it takes that axis away, or works along it. */
export const alongTokens = ({ op, inputs, attrs, type }: Node): boolean => {
  if (ops.get(op)?.mixes === "time") return false;
  const [x] = inputs;
  const axes = [attrs.axes, attrs.axis].flat().filter((axis) => typeof axis === "number");
  if (x && axes.some((axis) => holdsTokens(x.type.shape.at(axis)))) return true;
  return inputs.some((input) => input.type.shape.some(holdsTokens)) && !type.shape.some(holdsTokens) && type.shape.length > 0;
};
