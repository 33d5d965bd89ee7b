// The nearest whole number; halves go to the even one.

import { mapOp } from "./elementwise.ts";

export const toEven = (x: number): number => {
  const down = Math.floor(x);
  const rest = x - down;
  return rest < 0.5 || (rest === 0.5 && down % 2 === 0) ? down : down + 1;
};

export const round = mapOp({
  name: "round",
  doc: "The nearest whole number; halves go to the even one.",
  args: ["x"],
  f: (x) => toEven(x!),
  onnx: "Round",
  wgsl: ([x]) => `round(${x})`,
});
