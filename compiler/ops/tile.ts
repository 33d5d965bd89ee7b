// A tensor repeated along an axis, copy after copy. As a factor of a product a tiled matrix is never formed: association sums the
// other factor's copies first.

import type { Graph, Node } from "../graph/graph.ts";
import { type Dim, multiply } from "../values/dims.ts";
import { composedOp } from "./compose.ts";
import { axisOf, isFloat, numbers, positions, refuse, show, stridesOf } from "./shape.ts";

/** [.., n, ..] as [.., count, n, ..]. */
const apart = (shape: readonly Dim[], axis: number, count: Dim): Dim[] => [...shape.slice(0, axis), count, ...shape.slice(axis)];

export const tile = composedOp({
  name: "tile",
  doc: "`count` copies of a tensor one after another along an axis, by default the last.",
  call: { tensors: ["x"], attrs: { count: undefined, axis: -1 } },
  sizes: ["count"],
  type: ([x], attrs) => {
    const axis = x && axisOf(attrs.axis ?? -1, x.shape.length);
    if (!x || !isFloat(x)) return refuse("tile takes one floating-point tensor");
    if (axis === undefined) return refuse(`tile: ${show(x.shape)} has no axis ${String(attrs.axis)}`);
    return { dtype: x.dtype, shape: x.shape.map((dim, i) => (i === axis ? multiply(dim, attrs.count as Dim) : dim)) };
  },
  gradient: ({ graph, node, d, wants }) => {
    if (!wants[0] || !d[0]) return [undefined];
    const { shape } = node.inputs[0]!.type;
    const axis = axisOf(node.attrs.axis ?? -1, shape.length)!;
    const copies = graph.add("reshape", [d[0]], { shape: apart(shape, axis, node.attrs.count as Dim) });
    return [graph.add("sum", [copies], { axes: [axis], keep: false })];
  },
  lift: ({ graph, node, inputs: [x] }) => {
    const axis = axisOf(node.attrs.axis ?? -1, node.type.shape.length)! + 1;
    return graph.add("tile", [x!.node], { ...node.attrs, axis }, node.origin);
  },
  eval: ([x], attrs, types) => {
    const shape = numbers(types[0]!.shape);
    const axis = axisOf(attrs.axis ?? -1, shape.length)!;
    const strides = stridesOf(x!.shape);
    const wide = apart(x!.shape, axis, shape[axis]! / x!.shape[axis]!) as number[];
    const from = positions(wide, [...strides.slice(0, axis), 0, ...strides.slice(axis)]);
    return [{ shape, data: Float64Array.from(from, (place) => x!.data[place]!) }];
  },
  flops: () => 0,
  expand: (graph: Graph, [x], { attrs, inputs, type }): Node => {
    const { shape } = inputs[0]!.type;
    const axis = axisOf(attrs.axis ?? -1, shape.length)!;
    const one = graph.add("reshape", [x!], { shape: apart(shape, axis, 1) });
    const wide = graph.add("broadcast", [one], { shape: apart(shape, axis, attrs.count as Dim) });
    return graph.add("reshape", [wide], { shape: type.shape });
  },
});
