// The index of the codebook's entry that is nearest to each element. Halfway between two entries, the smaller one. Up to sixteen
// entries all bounds are looked at; in a longer book the place is found by halving, a step for each bit of the index.

import { literal } from "../emit/dtypes.ts";
import type { OnnxWriter } from "../emit/onnx-writer.ts";
import type { Op } from "../graph/op.ts";
import { product } from "../values/dims.ts";
import { boundsOf, entriesOf, needsEntries, tableFunction } from "./codebook.ts";
import { isFloat, refuse } from "./shape.ts";

export const nearest: Op = {
  name: "nearest",
  doc: "The index of the codebook's entry nearest to each element, as i32; halfway between two, of the smaller.",
  call: { tensors: ["x"], attrs: { table: undefined } },
  type: ([x], attrs) => {
    if (!x || !isFloat(x)) return refuse("nearest takes one floating-point tensor");
    return entriesOf(attrs) ? { dtype: "i32", shape: x.shape } : needsEntries("nearest");
  },
  eval: ([x], attrs) => {
    const { order, bounds } = boundsOf(entriesOf(attrs)!);
    const data = x!.data.map((v) => {
      let below = 0;
      while (below < bounds.length && v > bounds[below]!) below++;
      return order[below]!;
    });
    return [{ shape: x!.shape, data }];
  },
  flops: ([x], attrs) => product([...x!.shape, entriesOf(attrs)!.length]),
  wgsl: {
    form: "element",
    cost: "work",
    element: ({ same, name, prelude }, attrs) => {
      const { order, bounds } = boundsOf(entriesOf(attrs)!);
      const x = name(same(0));
      if (order.length > few) {
        const search = searchFunction(order, bounds);
        prelude(search.text);
        return `${search.name}(${x})`;
      }
      const place = (low: number, high: number): string => {
        if (low === high) return `${order[low]}i`;
        const middle = (low + high) >> 1;
        return `select(${place(low, middle)}, ${place(middle + 1, high)}, ${x} > ${literal(bounds[middle]!, "f32")})`;
      };
      return place(0, bounds.length);
    },
  },
  onnx: (write, [x], node) => {
    const { order, bounds } = boundsOf(entriesOf(node.attrs)!);
    const count = order.length > few ? halved(write, x!, bounds) : compared(write, x!, bounds);
    const sorted = order.every((entry, i) => entry === i);
    return [sorted ? count : write.node("Gather", [write.constant(order, "i32"), count], { axis: 0 })];
  },
};

const few = 16;

/** How many bounds are below each element: all of them compared at once. */
const compared = (write: OnnxWriter, x: string, bounds: readonly number[]): string => {
  const wide = write.node("Unsqueeze", [x, write.constant([-1], "i64")]);
  const flags = write.node("Cast", [write.node("Greater", [wide, write.constant(bounds, "f32")])], { to: write.code("f32") });
  return write.node("Cast", [write.node("ReduceSum", [flags, write.constant([-1], "i64")], { keepdims: 0 })], { to: write.code("i32") });
};

/** The widths of the steps by which a place among so many bounds is found, the largest first. */
const stepsOf = (bounds: number): number[] => {
  const bits = Math.ceil(Math.log2(bounds + 1));
  return Array.from({ length: bits }, (_, i) => 2 ** (bits - 1 - i));
};

/** The same number, found by halving: what stands behind the bounds is larger than everything. */
const halved = (write: OnnxWriter, x: string, bounds: readonly number[]): string => {
  const [first, ...rest] = stepsOf(bounds.length) as [number, ...number[]];
  const padded = [...bounds, ...new Array<number>(2 * first - 1 - bounds.length).fill(Number.POSITIVE_INFINITY)];
  const table = write.constant(padded, "f32");
  const passed = (bound: string, step: number): string =>
    write.node("Mul", [write.node("Cast", [write.node("Greater", [x, bound])], { to: write.code("i32") }), write.constant(step, "i32")]);
  let count = passed(write.constant(padded[first - 1]!, "f32"), first);
  for (const step of rest) {
    const place = step > 1 ? write.node("Add", [count, write.constant(step - 1, "i32")]) : count;
    count = write.node("Add", [count, passed(write.node("Gather", [table, place], { axis: 0 }), step)]);
  }
  return count;
};

/** The same as a WGSL function from a number to its entry's index. */
const searchFunction = (order: readonly number[], bounds: readonly number[]): { readonly name: string; readonly text: string } => {
  const table = tableFunction(bounds);
  const lines = stepsOf(bounds.length).map((step) => {
    const at = `count + ${step - 1}u`;
    const inside = bounds.length === 2 * stepsOf(bounds.length)[0]! - 1 ? "" : `${at} < ${bounds.length}u && `;
    return `  if (${inside}x > ${table.name}(${at})) { count += ${step}u; }`;
  });
  const sorted = order.every((entry, i) => entry === i);
  const entries = sorted ? undefined : tableFunction(order);
  const name = `nearest_in_${table.name}`;
  const result = entries ? `i32(${entries.name}(count))` : "i32(count)";
  return {
    name,
    text: [
      table.text,
      ...(entries ? [entries.text] : []),
      `fn ${name}(x: f32) -> i32 {\n  var count = 0u;\n${lines.join("\n")}\n  return ${result};\n}`,
    ].join("\n"),
  };
};
