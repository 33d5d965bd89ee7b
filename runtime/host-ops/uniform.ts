// uniform(low, high, shape) -> random numbers that follow from the seed of the adapter's training and the place they are drawn at.

import { draw } from "../draw.ts";
import type { HostOp } from "./matrix.ts";

export const uniform: HostOp = (_inputs, attrs, { seed, place }) => {
  const out = new Float32Array((attrs.shape as readonly number[]).reduce((a, b) => a * b, 1));
  draw({ kind: "draw", distribution: "uniform", args: [attrs.low as number, attrs.high as number] }, seed, place, out);
  return [out];
};
