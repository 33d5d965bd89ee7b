// The tanh form of the Gaussian error linear unit. With u = k·(x + c·x³), k = √(2/π): y = x/2·(1 + tanh u), and
// y' = (1 + tanh u)/2 + x/2·(1 − tanh² u)·k·(1 + 3c·x²). Since (1 + tanh u)/2 = sigmoid(2u), both are written with
// s = sigmoid(2u): y = x·s and y' = s·(1 + x·(1 − s)·2k·(1 + 3c·x²)), which is fewer passes.

import { mapOp } from "./elementwise.ts";

const C = 0.044715;
const K = Math.sqrt(2 / Math.PI);

export const gelu_tanh = mapOp({
  name: "gelu_tanh",
  doc: "The Gaussian error linear unit, tanh form (`gelu_new`).",
  args: ["x"],
  f: (x) => 0.5 * x! * (1 + Math.tanh(K * (x! + C * x! ** 3))),
  derivative: [
    (m, d, [x]) => {
      const square = m.op("mul", x!, x!);
      const s = m.op("sigmoid", m.op("mul", x!, m.op("add", m.number(2 * K), m.op("mul", m.number(2 * K * C), square))));
      const slope = m.op("mul", x!, m.op("add", m.number(2 * K), m.op("mul", m.number(6 * K * C), square)));
      const inner = m.op("add", m.number(1), m.op("mul", slope, m.op("sub", m.number(1), s)));
      return m.op("mul", d, m.op("mul", s, inner));
    },
  ],
  // FastGelu refuses a scalar.
  onnx: (write, [x], node) => {
    const { shape } = node.type;
    const ranked = shape.length ? shape : [1];
    return write.reshape(write.node("com.microsoft.FastGelu", [write.reshape(x!, shape, ranked)]), ranked, shape);
  },
  wgsl: ([x]) => `${x} / (1.0 + exp(min(${x} * (${-2 * K} - ${2 * K * C} * ${x} * ${x}), 80.0)))`,
});
