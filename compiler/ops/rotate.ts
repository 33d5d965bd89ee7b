// Rotary positions (Su et al. 2021). Each head's halves (x1, x2) turn by the position's angles: (x1·cos − x2·sin,
// x2·cos + x1·sin). Halves are the two halves of the axis, or even and odd elements when interleaved. The gradient is the
// turn back, `inverse`.

import type { Op } from "../graph/op.ts";
import { at, divide, multiply, product } from "../values/dims.ts";
import { broadcastShape, broadcastStrides, isFloat, positions, refuse, sameShape, show } from "./shape.ts";

export const rotate: Op = {
  name: "rotate",
  doc: "Turns pairs of elements of each head by the angles of its position.",
  call: { tensors: ["x", "cos", "sin"], attrs: { interleaved: false } },
  type: ([x, cos, sin]) => {
    if (!x || !cos || !sin || !isFloat(x)) return refuse("rotate takes a floating-point tensor, cosines and sines");
    const half = divide(x.shape.at(-1) ?? 1, 2);
    if (x.shape.length < 2 || half === undefined) return refuse(`rotate needs [.., heads, d] with an even d, not ${show(x.shape)}`);
    const fits = broadcastShape(x.shape.slice(0, -2), cos.shape.slice(0, -1));
    if (!sameShape(cos.shape, sin.shape) || cos.shape.at(-1) !== half || !fits || !sameShape(fits, x.shape.slice(0, -2)))
      return refuse(
        `rotate: cosines ${show(cos.shape)} and sines ${show(sin.shape)} do not fit ${show(x.shape)}; they need half of its last axis`,
      );
    return x;
  },
  gradient: ({ graph, node, d, wants }) => {
    const [, cos, sin] = node.inputs as [typeof node, typeof node, typeof node];
    const inverse = node.attrs.inverse !== true;
    return [wants[0] && d[0] ? graph.add("rotate", [d[0], cos, sin], { ...node.attrs, inverse }) : undefined, undefined, undefined];
  },
  eval: ([x, cos, sin], attrs) => {
    const [heads, width] = x!.shape.slice(-2) as [number, number];
    const half = width / 2;
    const lead = x!.shape.slice(0, -2);
    const angles = positions(lead, broadcastStrides(cos!.shape.slice(0, -1), lead));
    const sign = attrs.inverse === true ? -1 : 1;
    const data = new Float64Array(x!.data.length);
    angles.forEach((row, i) => {
      for (let h = 0; h < heads; h++)
        for (let k = 0; k < half; k++) {
          const start = (i * heads + h) * width;
          const [p1, p2] = attrs.interleaved === true ? [start + 2 * k, start + 2 * k + 1] : [start + k, start + half + k];
          const [c, s] = [cos!.data[row * half + k]!, sin!.data[row * half + k]! * sign];
          data[p1] = x!.data[p1]! * c - x!.data[p2]! * s;
          data[p2] = x!.data[p2]! * c + x!.data[p1]! * s;
        }
    });
    return [{ shape: x!.shape, data }];
  },
  flops: ([x]) => multiply(3, product(x!.shape)),
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ at, read, same, inputs, output, size, name }, attrs) => {
      const rank = output.shape.length;
      const column = at(rank - 1);
      const half = size(divide(output.shape.at(-1)!, 2)!);
      const interleaved = attrs.interleaved === true;
      // The partner's column, the pair's number, and whether this is the pair's second element.
      const second = name(interleaved ? `(${column} & 1u) == 1u` : `${column} >= ${half}`);
      const partner = interleaved ? `${column} ^ 1u` : `select(${column} + ${half}, ${column} - ${half}, ${second})`;
      const pair = interleaved ? `${column} / 2u` : `select(${column}, ${column} - ${half}, ${second})`;
      const other = read(
        0,
        output.shape.map((_, i) => (i === rank - 1 ? partner : at(i))),
      );
      const lead = rank - 2 - (inputs[1]!.shape.length - 1);
      const angle = inputs[1]!.shape.map((dim, i, all) => (i === all.length - 1 ? pair : dim === 1 ? "0u" : at(lead + i)));
      const turn = attrs.inverse === true ? "-1.0, 1.0" : "1.0, -1.0";
      return `${same(0)} * ${read(1, angle)} + ${other} * ${read(2, angle)} * select(${turn.split(", ").reverse().join(", ")}, ${second})`;
    },
  },
  onnx: (write, [x, cos, sin], node) => {
    const { shape } = node.type;
    const [heads, width] = shape.slice(-2) as [(typeof shape)[number], (typeof shape)[number]];
    const half = divide(width, 2)!;
    const angleShape = node.inputs[1]!.type.shape;
    // One node, four times as fast as its parts, when there is an angle for each of [b, t].
    if (shape.length === 4 && sameShape(angleShape.slice(0, -1), shape.slice(0, 2))) {
      const flat = [shape[0]!, shape[1]!, multiply(heads, width)];
      const turn = node.attrs.inverse === true ? write.node("Neg", [sin!]) : sin!;
      const attrs = { num_heads: at(heads, {}), interleaved: node.attrs.interleaved === true ? 1 : 0 };
      return [write.reshape(write.node("RotaryEmbedding", [write.reshape(x!, shape, flat), cos!, turn], attrs), flat, shape)];
    }
    const overHeads = (name: string) => write.reshape(name, angleShape, [...angleShape.slice(0, -1), 1, half]);
    const [c, s] = [overHeads(cos!), overHeads(sin!)];
    const [plus, minus] = node.attrs.inverse === true ? ["Sub", "Add"] : ["Add", "Sub"];
    const turned = (x1: string, x2: string): [string, string] => [
      write.node(minus, [write.node("Mul", [x1, c]), write.node("Mul", [x2, s])]),
      write.node(plus, [write.node("Mul", [x2, c]), write.node("Mul", [x1, s])]),
    ];
    if (node.attrs.interleaved === true) {
      const pairs = [...shape.slice(0, -1), half, 2];
      const halves = write.nodes("Split", [write.reshape(x!, shape, pairs)], { axis: -1, num_outputs: 2 }, [true, true]);
      const flat = halves.map((name) => write.reshape(name, [...shape.slice(0, -1), half, 1], [...shape.slice(0, -1), half]));
      const out = turned(flat[0]!, flat[1]!).map((name) =>
        write.reshape(name, [...shape.slice(0, -1), half], [...shape.slice(0, -1), half, 1]),
      );
      return [write.reshape(write.node("Concat", out, { axis: -1 }), pairs, [...shape.slice(0, -2), heads, width])];
    }
    const halves = write.nodes("Split", [x!], { axis: -1, num_outputs: 2 }, [true, true]);
    return [write.node("Concat", turned(halves[0]!, halves[1]!), { axis: -1 })];
  },
};
