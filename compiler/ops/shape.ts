// What the type rules and the reference meanings share about shapes: NumPy broadcasting over symbolic sizes, axes counted
// from either end, row-major strides. Rules return `{ problem }`, a sentence for the person who wrote the call.

import type { Attr, Attrs, Node, TensorType } from "../graph/graph.ts";
import type { Problem, Tensor } from "../graph/op.ts";
import { at, type Dim, product } from "../values/dims.ts";

export const show = (shape: readonly Dim[]): string => `[${shape.join(", ")}]`;

export const refuse = (problem: string): Problem => ({ problem });

/** The axis counted from the front; undefined when there is no such axis. */
export const axisOf = (axis: Attr | undefined, rank: number): number | undefined => {
  if (typeof axis !== "number" || !Number.isInteger(axis) || axis < -rank || axis >= rank) return undefined;
  return axis < 0 ? axis + rank : axis;
};

/** Axes of a reduction, counted from the front, ascending. */
export const axesOf = (axes: Attr | undefined, rank: number): readonly number[] | undefined => {
  const list = typeof axes === "number" ? [axes] : Array.isArray(axes) ? (axes as readonly Attr[]) : undefined;
  const found = list?.map((axis) => axisOf(axis, rank));
  if (!found || found.some((axis) => axis === undefined) || new Set(found).size !== found.length) return undefined;
  return (found as number[]).sort((a, b) => a - b);
};

/** An attribute that is one number; while a definition is checked by itself it may be a symbol. */
export const isScalar = (attr: Attr | undefined): boolean => typeof attr === "number" || typeof attr === "string";

/** An attribute that holds a shape. */
export const dimsOf = (attr: Attr | undefined): readonly Dim[] => (Array.isArray(attr) ? (attr as readonly Dim[]) : [attr as Dim]);

export const sameShape = (a: readonly Dim[], b: readonly Dim[]): boolean => a.length === b.length && a.every((dim, i) => dim === b[i]);

/** Sizes that are no polynomials, such as `max(in, out)`, cannot be compared until numbers are known. */
export const open = (...dims: readonly Dim[]): boolean => dims.some((dim) => typeof dim === "string" && dim.includes("("));

/** Whether two sizes are equal, or may be for all that is known. */
export const alike = (a: Dim, b: Dim): boolean => a === b || open(a, b);

/** Whether two shapes hold the same number of elements, as far as their sizes can tell. */
export const sameSize = (a: readonly Dim[], b: readonly Dim[]): boolean => product(a) === product(b) || open(...a, ...b);

/** The shape that all broadcast to, aligned at the last axis; undefined when two sizes differ and neither is 1. */
export const broadcastShape = (...shapes: readonly (readonly Dim[])[]): Dim[] | undefined => {
  const rank = Math.max(...shapes.map((s) => s.length));
  const result: Dim[] = [];
  for (let axis = 0; axis < rank; axis++) {
    let size: Dim = 1;
    for (const shape of shapes) {
      const dim = shape[axis - rank + shape.length];
      if (dim === undefined || dim === 1 || dim === size) continue;
      if (size !== 1 && !open(dim, size)) return undefined;
      if (size === 1 || open(size)) size = dim;
    }
    result.push(size);
  }
  return result;
};

/** The shape without these axes, or with size 1 there. */
export const reducedShape = (shape: readonly Dim[], axes: readonly number[], keep: boolean): Dim[] =>
  keep ? shape.map((dim, i) => (axes.includes(i) ? 1 : dim)) : shape.filter((_, i) => !axes.includes(i));

/** The gradient of a broadcast: `node` summed to `shape`. */
export const sumTo = (
  graph: { add: (op: string, inputs: readonly Node[], attrs?: Attrs) => Node },
  node: Node,
  shape: readonly Dim[],
): Node => (sameShape(node.type.shape, shape) ? node : graph.add("sum_to", [node], { shape }));

export const isFloat = (type: TensorType): boolean => type.dtype === "f32" || type.dtype === "f16" || type.dtype === "bf16";
export const isWhole = (type: TensorType): boolean => type.dtype === "i32" || type.dtype === "u32" || type.dtype === "u8";

// Reference meanings work on concrete shapes.

export const count = (shape: readonly Dim[]): number => shape.reduce<number>((n, dim) => n * at(dim, {}), 1);

export const numbers = (shape: readonly Dim[]): number[] => shape.map((dim) => at(dim, {}));

export const zeros = (type: TensorType): Tensor => ({ shape: numbers(type.shape), data: new Float64Array(count(type.shape)) });

export const stridesOf = (shape: readonly number[]): number[] => {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
};

/** For every element of `shape`, in order, the position in a tensor with these strides (0 where an axis is broadcast). */
export const positions = (shape: readonly number[], strides: readonly number[], start = 0): Int32Array => {
  const out = new Int32Array(shape.reduce((a, b) => a * b, 1));
  const index = new Array<number>(shape.length).fill(0);
  let place = start;
  for (let i = 0; i < out.length; i++) {
    out[i] = place;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      place -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
};

/** Strides that read a tensor of shape `from` as if it had the broadcast shape `to`. */
export const broadcastStrides = (from: readonly number[], to: readonly number[]): number[] => {
  const own = stridesOf(from);
  return to.map((_, axis) => {
    const i = axis - to.length + from.length;
    return i < 0 || from[i] === 1 ? 0 : own[i]!;
  });
};
