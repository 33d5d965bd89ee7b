// The Euclidean length along an axis. Its gradient at length 0 is 0, as PyTorch has it.

import { product } from "../values/dims.ts";
import { composedOp } from "./compose.ts";
import { axisOf, isFloat, numbers, reducedShape, refuse, show } from "./shape.ts";
import { lines } from "./softmax.ts";

export const norm = composedOp({
  name: "norm",
  doc: "The Euclidean length along an axis; `keep` leaves the axis with size 1.",
  call: { tensors: ["x"], attrs: { axis: -1, keep: false } },
  type: ([x], attrs) => {
    if (!x || !isFloat(x)) return refuse("norm takes one floating-point tensor");
    const axis = axisOf(attrs.axis ?? -1, x.shape.length);
    if (axis === undefined) return refuse(`norm: ${show(x.shape)} has no axis ${String(attrs.axis)}`);
    return { dtype: x.dtype, shape: reducedShape(x.shape, [axis], attrs.keep === true) };
  },
  gradient: ({ graph, node, d, wants }) => {
    const [x] = node.inputs as [typeof node];
    if (!wants[0] || !d[0]) return [undefined];
    const axis = axisOf(node.attrs.axis ?? -1, x.type.shape.length)!;
    const kept = (part: typeof node) => graph.add("reshape", [part], { shape: reducedShape(x.type.shape, [axis], true) });
    const length = graph.add("max", [kept(node), graph.constant(1e-30)]);
    return [graph.add("mul", [x, graph.add("div", [kept(d[0]), length])])];
  },
  lift: ({ graph, node, inputs: [x] }) => {
    const axis = axisOf(node.attrs.axis ?? -1, node.inputs[0]!.type.shape.length)! + 1;
    return graph.add("norm", [x!.node], { ...node.attrs, axis }, node.origin);
  },
  eval: ([x], attrs, types) => {
    const data: number[] = [];
    lines(x!.shape, axisOf(attrs.axis ?? -1, x!.shape.length)!, (places) =>
      data.push(Math.sqrt(places.reduce((sum, place) => sum + x!.data[place]! ** 2, 0))),
    );
    return [{ shape: numbers(types[0]!.shape), data: Float64Array.from(data) }];
  },
  flops: ([x]) => product([2, ...x!.shape]),
  expand: (graph, [x], { attrs, inputs }) => {
    const axes = [axisOf(attrs.axis ?? -1, inputs[0]!.type.shape.length)!];
    return graph.add("sqrt", [graph.add("sum", [graph.add("mul", [x!, x!])], { axes, keep: attrs.keep === true })]);
  },
});
