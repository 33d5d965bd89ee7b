// With n = (x − mean)·r and g = dy·w: dx = r · (g − mean(g) − n · mean(g·n)), dweight = Σ_rows dy·n, dbias = Σ_rows dy.

import type { Op } from "../graph/op.ts";
import { isConcrete, multiply, product } from "../values/dims.ts";
import { normalised } from "./layer_norm.ts";
import { refuse, sameShape, show } from "./shape.ts";
import { wantedOf } from "./wanted.ts";

export const layer_norm_gradient: Op = {
  name: "layer_norm_gradient",
  doc: "The gradients of `layer_norm`; `wants` says which.",
  type: ([x, weight, dy], attrs) => {
    if (!x || !weight || !dy || !sameShape(x.shape, dy.shape))
      return refuse(`layer_norm_gradient: ${show(dy?.shape ?? [])} is not the shape of x`);
    return wantedOf(attrs).map((name) => (name === "x" ? x : weight));
  },
  eval: ([x, weight, dy], attrs) => {
    const width = weight!.data.length;
    const dx = new Float64Array(x!.data.length);
    const dw = new Float64Array(width);
    const db = new Float64Array(width);
    for (let row = 0; row < dx.length; row += width) {
      const { n, r } = normalised(x!.data.subarray(row, row + width), attrs.eps as number);
      let total = 0;
      let along = 0;
      for (let k = 0; k < width; k++) {
        const g = dy!.data[row + k]! * weight!.data[k]!;
        total += g;
        along += g * n[k]!;
        dw[k]! += dy!.data[row + k]! * n[k]!;
        db[k]! += dy!.data[row + k]!;
      }
      for (let k = 0; k < width; k++) dx[row + k] = r * (dy!.data[row + k]! * weight!.data[k]! - (total + n[k]! * along) / width);
    }
    const of: Readonly<Record<string, { shape: readonly number[]; data: Float64Array }>> = {
      x: { shape: x!.shape, data: dx },
      weight: { shape: weight!.shape, data: dw },
      bias: { shape: weight!.shape, data: db },
    };
    return wantedOf(attrs).map((name) => of[name]!);
  },
  flops: ([x]) => multiply(11, product(x!.shape)),
  wgsl: {
    form: "row",
    along: 0,
    roles: ["element", "element", "element"],
    reductions: [
      { name: "mean", by: "sum", of: ({ args: [x] }) => x!, finish: ({ reduced: { mean }, width }) => `${mean} / ${width}` },
      {
        name: "r",
        by: "sum",
        of: ({ args: [x], reduced: { mean } }) => `(${x} - ${mean}) * (${x} - ${mean})`,
        finish: ({ reduced: { r }, width, attrs }) => `inverseSqrt(${r} / ${width} + ${attrs.eps})`,
      },
      {
        name: "total",
        by: "sum",
        of: ({ args: [, weight, dy] }) => `${dy} * ${weight}`,
        finish: ({ reduced: { total }, width }) => `${total} / ${width}`,
      },
      {
        name: "along",
        by: "sum",
        of: ({ args: [x, weight, dy], reduced: { mean, r } }) => `${dy} * ${weight} * (${x} - ${mean}) * ${r}`,
        finish: ({ reduced: { along }, width }) => `${along} / ${width}`,
      },
    ],
    outputs: (attrs) =>
      wantedOf(attrs).map((name) =>
        name === "x"
          ? {
              per: "element",
              value: ({ args: [x, weight, dy], reduced: { mean, r, total, along } }) =>
                `${r} * (${dy} * ${weight} - ${total} - (${x} - ${mean}) * ${r} * ${along})`,
            }
          : name === "weight"
            ? { per: "column", value: ({ args: [x, , dy], reduced: { mean, r } }) => `${dy} * (${x} - ${mean}) * ${r}` }
            : { per: "column", value: ({ args: [, , dy] }) => dy! },
      ),
  },
  // Of the shape of x: n, dy·w and what becomes of it, n·mean.
  holds: (node, bytes) => [Array<number>(wantedOf(node.attrs).includes("x") ? 3 : 1).fill(bytes(node.inputs[0]!.type))],
  onnx: (write, [x, weight, dy], node) => {
    const { shape } = node.inputs[0]!.type;
    const width = shape.at(-1)!;
    const wants = wantedOf(node.attrs);
    const lead = shape.slice(0, -1).map((_, i) => i);
    const overRows = (name: string) => (lead.length ? write.node("ReduceSum", [name, write.constant(lead, "i64")], { keepdims: 0 }) : name);
    const filled = (value: number) =>
      isConcrete(width)
        ? write.constant(new Array<number>(width).fill(value))
        : write.node("Expand", [write.constant(value), write.shape([width])]);
    const [n, , r] =
      wants.includes("x") || wants.includes("weight")
        ? write.nodes("LayerNormalization", [x!, filled(1), filled(0)], { axis: -1, epsilon: { float: node.attrs.eps as number } }, [
            true,
            false,
            wants.includes("x"),
          ])
        : [];
    return wants.map((name) => {
      if (name === "bias") return overRows(dy!);
      if (name === "weight") return overRows(write.node("Mul", [dy!, n!]));
      const g = write.node("Mul", [dy!, weight!]);
      const meanOf = (value: string) => write.node("ReduceMean", [value, write.constant([shape.length - 1], "i64")], { keepdims: 1 });
      const along = write.node("Mul", [n!, meanOf(write.node("Mul", [g, n!]))]);
      return write.node("Mul", [r!, write.node("Sub", [write.node("Sub", [g, meanOf(g)]), along])]);
    });
  },
};
