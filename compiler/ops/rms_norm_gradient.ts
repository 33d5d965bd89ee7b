// With n = x·r: dweight = Σ_rows dy·n and dx = r · (dy·w − n · mean(dy·w·n)).

import type { Op } from "../graph/op.ts";
import { isConcrete, multiply, product } from "../values/dims.ts";
import { refuse, sameShape, show } from "./shape.ts";
import { wantedOf } from "./wanted.ts";

export const rms_norm_gradient: Op = {
  name: "rms_norm_gradient",
  doc: "The gradients of `rms_norm`; `wants` says which.",
  type: ([x, weight, dy], attrs) => {
    if (!x || !weight || !dy || !sameShape(x.shape, dy.shape))
      return refuse(`rms_norm_gradient: ${show(dy?.shape ?? [])} is not the shape of x`);
    return wantedOf(attrs).map((name) => (name === "x" ? x : weight));
  },
  eval: ([x, weight, dy], attrs) => {
    const width = weight!.data.length;
    const dx = new Float64Array(x!.data.length);
    const dw = new Float64Array(width);
    for (let row = 0; row < dx.length; row += width) {
      let squares = 0;
      let along = 0;
      for (let k = 0; k < width; k++) squares += x!.data[row + k]! ** 2;
      const r = 1 / Math.sqrt(squares / width + (attrs.eps as number));
      for (let k = 0; k < width; k++) along += dy!.data[row + k]! * weight!.data[k]! * x!.data[row + k]! * r;
      for (let k = 0; k < width; k++) {
        const n = x!.data[row + k]! * r;
        dx[row + k] = r * (dy!.data[row + k]! * weight!.data[k]! - (n * along) / width);
        dw[k]! += dy!.data[row + k]! * n;
      }
    }
    return wantedOf(attrs).map((name) => (name === "x" ? { shape: x!.shape, data: dx } : { shape: weight!.shape, data: dw }));
  },
  flops: ([x]) => multiply(8, product(x!.shape)),
  wgsl: {
    form: "row",
    along: 0,
    roles: ["element", "element", "element"],
    reductions: [
      {
        name: "r",
        by: "sum",
        of: ({ args: [x] }) => `${x} * ${x}`,
        finish: ({ reduced: { r }, width, attrs }) => `inverseSqrt(${r} / ${width} + ${attrs.eps})`,
      },
      {
        name: "along",
        by: "sum",
        of: ({ args: [x, weight, dy], reduced: { r } }) => `${dy} * ${weight} * ${x} * ${r}`,
        finish: ({ reduced: { along }, width }) => `${along} / ${width}`,
      },
    ],
    outputs: (attrs) =>
      wantedOf(attrs).map((name) =>
        name === "x"
          ? {
              per: "element",
              value: ({ args: [x, weight, dy], reduced: { r, along } }) => `${r} * (${dy} * ${weight} - ${x} * ${r} * ${along})`,
            }
          : { per: "column", value: ({ args: [x, , dy], reduced: { r } }) => `${dy} * ${x} * ${r}` },
      ),
  },
  // Of the shape of x: n, dy·n, and for dx n·mean and dy·w, of which the difference takes one's place.
  holds: (node, bytes) => [Array<number>(wantedOf(node.attrs).includes("x") ? 3 : 2).fill(bytes(node.inputs[0]!.type))],
  onnx: (write, [x, weight, dy], node) => {
    const { shape } = node.inputs[0]!.type;
    const width = shape.at(-1)!;
    const wants = wantedOf(node.attrs);
    const ones = isConcrete(width)
      ? write.constant(new Array<number>(width).fill(1))
      : write.node("Expand", [write.constant(1), write.shape([width])]);
    const [n, r] = write.nodes(
      "SimplifiedLayerNormalization",
      [x!, ones],
      { axis: -1, epsilon: { float: node.attrs.eps as number }, stash_type: 1 },
      [true, wants.includes("x")],
    );
    const dyn = write.node("Mul", [dy!, n!]);
    return wants.map((name) => {
      if (name === "weight") {
        const axes = shape.slice(0, -1).map((_, i) => i);
        return axes.length ? write.node("ReduceSum", [dyn, write.constant(axes, "i64")], { keepdims: 0 }) : dyn;
      }
      // mean(dy·w·n) is a matrix-vector product of dy·n with w.
      const column = write.reshape(weight!, [width], [width, 1]);
      const total = write.node("MatMul", [dyn, column]);
      const mean = write.node("Div", [
        total,
        isConcrete(width)
          ? write.constant(width)
          : write.node("Cast", [write.node("Squeeze", [write.shape([width])])], { to: write.code("f32") }),
      ]);
      const along = write.node("Mul", [n!, mean]);
      return write.node("Mul", [r!, write.node("Sub", [write.node("Mul", [dy!, weight!]), along])]);
    });
  },
};
