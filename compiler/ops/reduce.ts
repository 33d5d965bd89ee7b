// Builds the reductions over axes, which share their type rule and their walk.

import type { Attrs, TensorType } from "../graph/graph.ts";
import type { Problem, Tensor } from "../graph/op.ts";
import { axesOf, isFloat, positions, reducedShape, refuse, show, stridesOf } from "./shape.ts";

export const reduceType = (name: string, inputs: readonly TensorType[], attrs: Attrs): TensorType | Problem => {
  const x = inputs[0];
  if (!x || inputs.length !== 1) return refuse(`${name} takes one tensor`);
  if (!isFloat(x)) return refuse(`${name} is for floating-point tensors, not ${x.dtype}`);
  const axes = axesOf(attrs.axes, x.shape.length);
  if (!axes) return refuse(`${name}: axes ${JSON.stringify(attrs.axes)} are not distinct axes of ${show(x.shape)}`);
  return { dtype: x.dtype, shape: reducedShape(x.shape, axes, attrs.keep === true) };
};

/** Sums over axes; the kept ones come out with size 1, so the data order is that of either result shape. */
export const sumOver = (x: Tensor, axes: readonly number[]): Float64Array => {
  const kept = reducedShape(x.shape, axes, true) as number[];
  const own = stridesOf(kept);
  const to = positions(
    x.shape,
    kept.map((_, i) => (axes.includes(i) ? 0 : own[i]!)),
  );
  const data = new Float64Array(kept.reduce((a, b) => a * b, 1));
  for (let i = 0; i < to.length; i++) data[to[i]!]! += x.data[i]!;
  return data;
};
