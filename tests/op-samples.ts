// Sample calls of every op, with symbolic sizes: what the laws of all ops run on (reference, ONNX, WGSL).

import type { Attrs, Dim, DType } from "../compiler/graph/graph.ts";
import type { Tensor } from "../compiler/graph/op.ts";
import { at } from "../compiler/values/dims.ts";

export type Sizes = Readonly<Record<string, number>>;

/** How an input is filled. "apart": no two elements closer than a finite difference, none near 0. */
export type Fill =
  | "normal"
  | "positive"
  | "apart"
  | "flag"
  | "dominant" // square matrices that a solver meets: the identity and a little of everything
  | { readonly below: Dim } // whole numbers in [0, below), repeats allowed
  | { readonly distinct: Dim } // whole numbers in [0, distinct), no repeats along the last axis
  | { readonly targets: Dim } // whole numbers in [0, targets), every third one -1
  | { readonly ascending: Dim } // along the last axis, the last is distinct - 1: positions of tokens in a cache
  | { readonly interval: Dim } // along the last axis: first <= last below interval, then any whole number below interval
  | { readonly nothing: Dim } // the same, but that every other interval is empty: its first is behind its last
  | { readonly value: number };

export interface SampleInput {
  readonly shape: readonly Dim[];
  readonly dtype?: DType;
  readonly fill?: Fill;
}

export interface Sample {
  readonly inputs: readonly SampleInput[];
  readonly attrs?: Attrs;
  /** Inputs that a gradient may be asked for. */
  readonly smooth?: readonly number[];
}

const x = (...shape: Dim[]): SampleInput => ({ shape });
const whole = (fill: Fill, ...shape: Dim[]): SampleInput => ({ shape, dtype: "i32", fill });
const filled = (fill: Fill, ...shape: Dim[]): SampleInput => ({ shape, fill });

const unary = (fill: Fill = "normal"): Sample[] => [
  { inputs: [{ shape: ["b", "t", 6], fill }], smooth: [0] },
  { inputs: [{ shape: [], fill }], smooth: [0] },
];
const binary = (fill: Fill = "normal"): Sample[] => [
  { inputs: [filled(fill, "b", "t", 6), filled(fill, "b", "t", 6)], smooth: [0, 1] },
  { inputs: [filled(fill, "b", "t", 6), filled(fill, 6)], smooth: [0, 1] },
  { inputs: [filled(fill, "b", 1, 6), filled(fill, "t", 1)], smooth: [0, 1] },
  { inputs: [filled(fill), filled(fill, "b", "t")], smooth: [0, 1] },
];

/** Sizes at which every sample runs; ONNX runs both in one session. */
export const sampleSizes: readonly Sizes[] = [
  { b: 2, t: 3, n: 4, s: 5 },
  { b: 3, t: 2, n: 5, s: 4 },
];

const attention = (h: Dim, g: Dim, s: Dim, attrs: Attrs, sees: Fill, parts: Dim[] = [], bias: Dim[] = []): Sample => ({
  inputs: [x("b", "t", h, 4), x("b", s, g, 4), x("b", s, g, 4), whole(sees, "b", "t", ...parts), ...bias.map((m) => x(h, m))],
  attrs,
  smooth: [0, 1, 2, ...(bias.length ? [4] : [])],
});

const withSink = (one: Sample): Sample => ({
  ...one,
  inputs: [...one.inputs.slice(0, 4), x(one.inputs[0]!.shape[2]!), ...one.inputs.slice(4)],
  smooth: [0, 1, 2, 4, ...(one.inputs.length > 4 ? [5] : [])],
});

const sixteen = Array.from({ length: 16 }, (_, i) => Math.fround(Math.sin(i) * 1.1));

/** Packed codes of a tensor, with the scales and, where wanted, the offsets of its blocks. */
const decoded = (shape: number[], block: number, attrs: Attrs & { readonly bits: number }, offset = false): Sample => {
  const elements = shape.reduce((a, b) => a * b, 1);
  const blocks = Math.ceil(elements / block);
  return {
    inputs: [
      { shape: [Math.ceil((elements * attrs.bits) / 8)], dtype: "u8", fill: { below: 256 } },
      x(blocks),
      ...(offset ? [x(blocks)] : []),
    ],
    attrs: { signed: false, ...attrs, block, shape },
  };
};

/** Rows of a packed table, with so many scales, and perhaps offsets, for each. */
const rowsDecoded = (rows: number, width: number, scales: number, attrs: Attrs & { readonly bits: number }, offsets?: number): Sample => ({
  inputs: [
    { shape: [(rows * width * attrs.bits) / 8], dtype: "u8", fill: { below: 256 } },
    whole({ below: rows }, "b", "t"),
    x("b", "t", scales),
    ...(offsets === undefined ? [] : [x("b", "t", offsets)]),
  ],
  attrs: { signed: false, ...attrs, rows, width },
});

export const samples: Readonly<Record<string, readonly Sample[]>> = {
  constant: [
    { inputs: [], attrs: { value: 1.5, dtype: "f32", shape: [] } },
    { inputs: [], attrs: { value: -2, dtype: "i32", shape: ["b", 3] } },
    { inputs: [], attrs: { value: 0.25, dtype: "f32", shape: [2, 3] } },
  ],
  size: [
    { inputs: [], attrs: { of: ["b", 3] } },
    { inputs: [], attrs: { of: [4, 3] } },
    { inputs: [], attrs: { of: ["b", "t"] } },
  ],
  iota: [
    { inputs: [], attrs: { count: 7 } },
    { inputs: [], attrs: { count: "2*t+1" } },
  ],
  cast: [
    { inputs: [whole({ below: 9 }, "b", 3)], attrs: { dtype: "f32" } },
    { inputs: [x("b", 3)], attrs: { dtype: "i32" } },
    { inputs: [x("b", 3)], attrs: { dtype: "f32" }, smooth: [0] },
  ],
  stop_gradient: [{ inputs: [x("b", 3)] }],
  eye: [{ inputs: [], attrs: { size: 5 } }],
  quotient: [{ inputs: [whole({ below: 50 }, "b", "t"), whole({ value: 7 }, "t")] }],
  mod: [{ inputs: [whole({ below: 50 }, "b", "t"), whole({ value: 7 }, "t")] }],
  diagonal: [{ inputs: [x(4)], smooth: [0] }],
  block_diagonal: [
    { inputs: [x(3, 2, 4)], smooth: [0] },
    { inputs: [x(1, 3, 3)], smooth: [0] },
  ],
  kron: [
    { inputs: [x(2, 3), x(4, 2)], smooth: [0, 1] },
    { inputs: [x(1, 3), x(2, 1)], smooth: [0, 1] },
  ],
  tile: [
    { inputs: [x("b", 3)], attrs: { count: 4, axis: -1 }, smooth: [0] },
    { inputs: [x(3, "t", 2)], attrs: { count: 2, axis: 0 }, smooth: [0] },
  ],
  skew: [
    { inputs: [x("b", 6)], attrs: { size: 4 }, smooth: [0] },
    { inputs: [x(3, 10)], attrs: { size: 5 }, smooth: [0] },
    { inputs: [x(2, 1)], attrs: { size: 2 }, smooth: [0] },
  ],
  roll_rows: [
    { inputs: [x("b", 5, 5)], attrs: { by: 1 }, smooth: [0] },
    { inputs: [x(2, "b", 4, 4)], attrs: { by: -1 }, smooth: [0] },
  ],
  largest: [
    { inputs: [x("b", "t", 5)], attrs: { axes: [-1], keep: true } },
    { inputs: [x("b", 3)], attrs: { axes: [0, 1], keep: false } },
  ],
  among_largest: [
    { inputs: [filled("apart", "b", "t", 5)], attrs: { count: 2 } },
    { inputs: [filled("flag", "n", 4)], attrs: { count: 3 } },
    { inputs: [x(3, 6)], attrs: { count: 6 } },
  ],
  norm: [
    { inputs: [x("b", "t", 4)], attrs: { axis: -1, keep: false }, smooth: [0] },
    { inputs: [x(5, "t")], attrs: { axis: 0, keep: true }, smooth: [0] },
  ],
  inverse: [
    { inputs: [{ shape: [4, 4], fill: "dominant" }], smooth: [0] },
    { inputs: [{ shape: ["b", 3, 3], fill: "dominant" }], smooth: [0] },
  ],
  branch: [{ inputs: [x("b", 3)], attrs: { site: 1 } }],
  neg: [...unary(), { inputs: [whole({ below: 9 }, "b")] }],
  abs: unary("apart"),
  floor: [{ inputs: [{ shape: ["b", "t", 6], fill: "apart" }] }],
  exp: unary(),
  log: unary("positive"),
  sqrt: unary("positive"),
  cos: unary(),
  sin: unary(),
  tanh: unary(),
  sigmoid: unary(),
  erf: unary(),
  relu: unary("apart"),
  silu: unary(),
  gelu: unary(),
  gelu_tanh: unary(),
  add: [...binary(), { inputs: [whole({ below: 9 }, "b", "t"), whole({ below: 9 }, "t")] }],
  sub: binary(),
  mul: binary(),
  div: binary("apart"),
  pow: binary("positive"),
  max: binary("apart"),
  min: binary("apart"),
  less: [{ inputs: [x("b", "t"), x("t")] }, { inputs: [whole({ below: 3 }, "b", 1), whole({ below: 3 }, "t")] }],
  select: [
    { inputs: [filled("flag", "b", "t"), x("b", "t"), x("b", "t")], smooth: [1, 2] },
    { inputs: [filled("flag", "b", 1), x("t"), x()], smooth: [1, 2] },
  ],
  round: [{ inputs: [filled("apart", "b", "t", 6)] }, { inputs: [filled("apart")] }],
  clamp: [{ inputs: [filled("apart", "b", "t")], attrs: { low: -0.6, high: 2.3 }, smooth: [0] }],
  nearest: [
    { inputs: [x("b", "t")], attrs: { table: [-1, -0.3, 0, 0.25, 1.5] } },
    { inputs: [x("b", 6)], attrs: { table: [0, 0.5, 1, -0.5, -1] } },
    { inputs: [x("b", "t")], attrs: { table: Array.from({ length: 256 }, (_, i) => Math.fround(Math.tanh(i / 50 - 2.5))) } },
    { inputs: [x("b", 6)], attrs: { table: Array.from({ length: 20 }, (_, i) => ((7 * i) % 20) / 10 - 1) } },
  ],
  lookup: [{ inputs: [whole({ below: 5 }, "b", "t")], attrs: { table: [-1, -0.3, 0, 0.25, 1.5] } }],
  decode: [
    decoded([6, 32], 32, { bits: 4, table: sixteen }),
    decoded([8, 8], 4, { bits: 4, table: sixteen }, true),
    decoded([5, 7], 16, { bits: 4, table: [] }, true),
    decoded([3, 10], 10, { bits: 8, signed: true, table: [] }),
    decoded([4, 16], 8, { bits: 8, table: [] }, true),
    decoded([9, 3], 8, { bits: 8, table: Array.from({ length: 256 }, (_, i) => Math.fround(Math.tanh(i / 50 - 2))) }),
  ],
  decode_rows: [
    rowsDecoded(9, 8, 2, { bits: 4, table: sixteen }),
    rowsDecoded(9, 8, 1, { bits: 4, table: [] }, 4),
    rowsDecoded(9, 3, 3, { bits: 8, signed: true, table: [] }),
    rowsDecoded(9, 1, 1, { bits: 8, table: Array.from({ length: 256 }, (_, i) => Math.fround(Math.tanh(i / 50 - 2))) }, 1),
  ],
  dropout: [
    { inputs: [x("b", "t", 40), whole({ value: 7 })], attrs: { p: 0.3, site: 2 }, smooth: [0] },
    { inputs: [x("t", 64), whole({ value: -1234567 })], attrs: { p: 0.05, site: 0 }, smooth: [0] },
    { inputs: [x("b", "t", 4), whole({ value: 7 })], attrs: { p: 0, site: 1 }, smooth: [0] },
    { inputs: [x("4*b*t"), whole({ value: 3 })], attrs: { p: 0.5, site: 1 }, smooth: [0] },
    { inputs: [x("b", "t", 40), { shape: [], dtype: "u32", fill: { value: 4000000000 } }], attrs: { p: 0.3, site: 9 }, smooth: [0] },
  ],
  reshape: [
    { inputs: [x("b", "t", 6)], attrs: { shape: ["b*t", 6] }, smooth: [0] },
    { inputs: [x("b*t", 6), x("b", "t")], attrs: { shape: ["b", "t", 2, 3] }, smooth: [0] },
    { inputs: [x("b", "t", 6)], attrs: { shape: ["b", 2, "t", 3] }, smooth: [0] },
    { inputs: [x("b", "t")], attrs: { shape: ["b", "t", 1] }, smooth: [0] },
    { inputs: [x(4, 6)], attrs: { shape: [24] }, smooth: [0] },
  ].map(({ inputs, ...rest }) => ({ ...rest, inputs: inputs.slice(0, 1) })),
  split: [{ inputs: [x("b", "t", 12)], attrs: { count: 3 }, smooth: [0] }],
  join: [
    { inputs: [x("b", "t", 3, 4)], smooth: [0] },
    { inputs: [x(3, "b", "t")], smooth: [0] },
  ],
  permute: [
    { inputs: [x("b", "t", 3)], attrs: { order: [2, 0, 1] }, smooth: [0] },
    { inputs: [x("b", "t", 3)], attrs: { order: [1, -1, 0] }, smooth: [0] },
  ],
  slice: [
    { inputs: [x("b", "t", 6)], attrs: { from: 1, to: 4, axis: -1 }, smooth: [0] },
    { inputs: [x("b", "t", 6)], attrs: { from: 1, to: "t", axis: 1 }, smooth: [0] },
    { inputs: [x("b", "t+3", 6)], attrs: { from: 3, to: "t+3", axis: 1 }, smooth: [0] },
    { inputs: [x("b", "t", 6)], attrs: { from: 2, to: 6 }, smooth: [0] },
  ],
  pad: [
    { inputs: [x("b", "t", 2)], attrs: { axis: -1, before: 1, after: 3 }, smooth: [0] },
    { inputs: [x("b", "t", 2)], attrs: { axis: 0, before: "t", after: 0 }, smooth: [0] },
  ],
  concat: [
    { inputs: [x("b", "t", 2), x("b", "t", 3)], attrs: { axis: -1 }, smooth: [0, 1] },
    { inputs: [x("b", 4, 2), x("b", "t", 2), x("b", "t", 2)], attrs: { axis: 1 }, smooth: [0, 1, 2] },
  ],
  broadcast: [
    { inputs: [x("b", 1, 3)], attrs: { shape: [2, "b", 4, 3] }, smooth: [0] },
    { inputs: [x()], attrs: { shape: ["b", 4] }, smooth: [0] },
  ],
  sum: [
    { inputs: [x("b", "t", 4)], attrs: { axes: [-1], keep: true }, smooth: [0] },
    { inputs: [x("b", "t", 4)], attrs: { axes: [0, 1], keep: false }, smooth: [0] },
    { inputs: [x("b", "t")], attrs: { axes: [0, 1] }, smooth: [0] },
  ],
  mean: [
    { inputs: [x("b", "t", 4)], attrs: { axes: [-1], keep: true }, smooth: [0] },
    { inputs: [x("b", "t", 4)], attrs: { axes: [0, 1], keep: false }, smooth: [0] },
  ],
  sum_to: [
    { inputs: [x("b", "t", 4)], attrs: { shape: [4] }, smooth: [0] },
    { inputs: [x("b", "t", 4)], attrs: { shape: ["t", 1] }, smooth: [0] },
    { inputs: [x("b", "t")], attrs: { shape: [] }, smooth: [0] },
    { inputs: [x("b", "t")], attrs: { shape: ["b", "t"] }, smooth: [0] },
  ],
  matmul: [
    { inputs: [x("b", "t", 4), x(4, 5)], smooth: [0, 1] },
    { inputs: [x("b", "t", 4), x(5, 4)], attrs: { transpose_a: false, transpose_b: true }, smooth: [0, 1] },
    { inputs: [x("b", 4, "t"), x(5, 4)], attrs: { transpose_a: true, transpose_b: true }, smooth: [0, 1] },
    { inputs: [x(4, "t"), x(4, 5)], attrs: { transpose_a: true, transpose_b: false }, smooth: [0, 1] },
    { inputs: [x("b", 2, "t", 4), x("b", 1, 4, "t")], smooth: [0, 1] },
    { inputs: [x(3, 4), x("b", 4, "t")], smooth: [0, 1] },
    { inputs: [x("t", 4), x(3, "t", 5)], attrs: { transpose_a: true, transpose_b: false }, smooth: [0, 1] },
    { inputs: [x("t", 4), x(3, 5, 4)], attrs: { transpose_a: false, transpose_b: true }, smooth: [0, 1] },
    { inputs: [x(3, 4), x(4, 2)], attrs: { transpose_a: false, transpose_b: false }, smooth: [0, 1] },
  ],
  contract: [
    { inputs: [x("b", "t", 4), x("b", "t", 5)], smooth: [0, 1] },
    { inputs: [x("n", 5), x("n", 4)], smooth: [0, 1] },
    { inputs: [x("b", "t", 33), x("b", "t", 34)], smooth: [0, 1] },
  ],
  gather: [
    { inputs: [x(7, 4), whole({ below: 7 }, "b", "t")], smooth: [0] },
    { inputs: [x(3, 2), whole({ below: 3 }, "n")], smooth: [0] },
  ],
  take_rows: [
    { inputs: [x("b", "t", 4), whole({ distinct: "b*t" }, "n")], smooth: [0] },
    { inputs: [x("n", 4), whole({ distinct: "n" }, "t")], smooth: [0] },
  ],
  put_rows: [{ inputs: [x("t", 4), whole({ distinct: "n" }, "t")], attrs: { shape: ["n", 4] }, smooth: [0] }],
  softmax: [
    { inputs: [x("b", "t", 5)], smooth: [0] },
    { inputs: [x("b", 4, "t")], attrs: { axis: 1 }, smooth: [0] },
  ],
  rms_norm: [
    { inputs: [x("b", "t", 6), x(6)], attrs: { eps: 1e-6 }, smooth: [0, 1] },
    { inputs: [x("n", 6), x(6)], attrs: { eps: 0.1 }, smooth: [0, 1] },
  ],
  layer_norm: [
    { inputs: [x("b", "t", 6), x(6), x(6)], attrs: { eps: 1e-5 }, smooth: [0, 1, 2] },
    { inputs: [x("n", 6), x(6), x(6)], attrs: { eps: 0.1 }, smooth: [0, 1, 2] },
  ],
  cross_entropy: [
    { inputs: [x("n", 7), whole({ targets: 7 }, "n")], smooth: [0] },
    { inputs: [x("b", "t", 7), whole({ targets: 7 }, "b", "t")], smooth: [0] },
  ],
  likeliest: [{ inputs: [x("n", 3), whole({ targets: 3 }, "n")] }, { inputs: [x("b", "t", 7), whole({ targets: 7 }, "b", "t")] }],
  rotate: [
    { inputs: [x("b", "t", 3, 8), x("b", "t", 4), x("b", "t", 4)], attrs: { interleaved: false }, smooth: [0] },
    { inputs: [x("b", "t", 3, 8), x("t", 4), x("t", 4)], attrs: { interleaved: false }, smooth: [0] },
    { inputs: [x("b", "t", 3, 8), x("b", "t", 4), x("b", "t", 4)], attrs: { interleaved: true }, smooth: [0] },
    { inputs: [x("b", "t", 3, 8), x("b", "t", 4), x("b", "t", 4)], attrs: { interleaved: false, inverse: true }, smooth: [0] },
  ],
  attention: [
    attention(4, 4, "t", {}, { ascending: "t" }),
    attention(4, 2, "t", { causal: true, scale: 0.3 }, { ascending: "t" }),
    attention(4, 2, "s", { causal: true }, { below: "s" }),
    attention(2, 1, "s", { causal: false, scale: 0.7 }, { below: "s" }),
    attention(4, 2, "t", { causal: true, softcap: 0.8 }, { ascending: "t" }),
    attention(2, 2, "t", { causal: true, scale: 1 }, { ascending: "t" }),
    attention(2, 2, "s", { causal: true }, { interval: "s" }, [2]),
    attention(4, 2, "s", { causal: true, softcap: 1.5 }, { interval: "s" }, [3]),
    attention(4, 2, "t", { causal: true, zero: 3 }, { ascending: "t" }, [], [4]),
    attention(2, 1, "s", { causal: true, zero: 2 }, { interval: "s" }, [3], [5]),
    attention(2, 2, "s", { causal: false, zero: 1, softcap: 2 }, { below: "s" }, [], [3]),
    attention(4, 2, "s", { memory: 2 }, { below: 3 }),
    attention(2, 2, "s", { memory: 2, softcap: 1.5 }, { interval: "t" }, [2]),
    attention(2, 1, "s", { memory: 1, zero: 3 }, { interval: "t" }, [3], [5]),
    attention(2, 2, "s", {}, { nothing: "s" }, [2]),
  ],
  attention_with_sink: [
    withSink(attention(4, 2, "t", {}, { ascending: "t" })),
    withSink(attention(4, 2, "s", { causal: false, scale: 0.7 }, { below: "s" })),
    withSink(attention(2, 2, "s", {}, { interval: "s" }, [2])),
    withSink(attention(2, 1, "s", { softcap: 1.5, zero: 2 }, { interval: "s" }, [3], [5])),
    withSink(attention(2, 2, "s", { memory: 2 }, { interval: "t" }, [2])),
    withSink(attention(2, 2, "s", {}, { nothing: "s" }, [2])),
  ],
  one_hot: [
    { inputs: [whole({ below: 6 }, "b", "t")], attrs: { count: 4, from: 1 } },
    { inputs: [whole({ below: 3 }, "n")], attrs: { count: 3, from: 0 } },
  ],
  prepend: [
    { inputs: [x("b", "t", 4), x(2, 4), whole({ ascending: "t" }, "b", "t")], attrs: { from: 0 }, smooth: [0, 1] },
    { inputs: [x("b", "t", 3), x(2, 3), whole({ below: 5 }, "b", "t")], attrs: { from: 1 }, smooth: [0, 1] },
  ],
  remember: [
    { inputs: [x(3, 2, 4), x("b", "t", 2, 4)], smooth: [0, 1] },
    { inputs: [x(1, 1, 3), x("b", "s", 1, 3)], smooth: [0, 1] },
    { inputs: [x("b", 2, 2, 3), x("b", "t", 2, 3)], smooth: [0, 1] },
  ],
  cache_write: [{ inputs: [x("b", "s", 2, 3), x("b", "t", 2, 3), whole({ distinct: "s" }, "b", "t")] }],
};

/** A small generator (Marsaglia's xorshift), so that a failure repeats. */
export const random = (seed: number): (() => number) => {
  let state = Math.imul(seed, 2654435761) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
};

/** Values exactly representable in f32, so that every device starts from the same numbers. */
export const fillInput = ({ shape, fill = "normal" }: SampleInput, sizes: Sizes, seed: number): Tensor => {
  const concrete = shape.map((dim) => at(dim, sizes));
  const next = random(seed + 1);
  for (let i = 0; i < 8; i++) next();
  const data = new Float64Array(concrete.reduce((a, b) => a * b, 1));
  const row = concrete.at(-1) ?? 1;
  const shuffled = (count: number): number[] =>
    Array.from({ length: count }, (_, k) => [next(), k] as const)
      .sort(([a], [b]) => a - b)
      .map(([, k]) => k);
  const order = shuffled(data.length);
  let line: number[] = [];
  for (let i = 0; i < data.length; i++) {
    if (fill === "normal") data[i] = next() + next() + next() + next() - 2;
    else if (fill === "positive") data[i] = 0.5 + 2 * next();
    else if (fill === "apart") data[i] = (order[i]! + 0.5 + 0.25 * next()) * (next() < 0.5 ? -1 : 1) * 0.25;
    else if (fill === "dominant") data[i] = (Math.floor(i / row) % row === i % row ? 2 : 0) + next() - 0.5;
    else if (fill === "flag") data[i] = next() < 0.5 ? 0 : 1;
    else if ("below" in fill) data[i] = Math.floor(next() * at(fill.below, sizes));
    else if ("targets" in fill) data[i] = i % 3 === 1 ? -1 : Math.floor(next() * at(fill.targets, sizes));
    else if ("ascending" in fill) data[i] = at(fill.ascending, sizes) - row + (i % row);
    else if ("interval" in fill) {
      const end = at(fill.interval, sizes);
      data[i] = i % row === 1 ? data[i - 1]! + Math.floor(next() * (end - data[i - 1]!)) : Math.floor(next() * end);
    } else if ("nothing" in fill) {
      const end = at(fill.nothing, sizes);
      const empty = Math.floor(i / row) % 2 === 1;
      if (i % row === 0) data[i] = Math.floor(next() * (end - 1)) + (empty ? 1 : 0);
      else
        data[i] = empty ? data[i - 1]! - 1 - Math.floor(next() * data[i - 1]!) : data[i - 1]! + Math.floor(next() * (end - data[i - 1]!));
    } else if ("value" in fill) data[i] = fill.value;
    else {
      if (i % row === 0) line = shuffled(at(fill.distinct, sizes));
      data[i] = line[i % row]!;
    }
  }
  return { shape: concrete, data: data.map(Math.fround) };
};
