// Segments that are cut into parts for the cpu device: attention and its gradient as WebAssembly kernels between ONNX graphs
// equal their reference meaning, at any number of threads, whatever a query sees; and what cannot be a kernel stays one graph.

import { type Emitted, emitParts } from "../compiler/emit/parts.ts";
import { createKernel } from "../compiler/emit/wasm.ts";
import { createGraph, type Node, type SegmentGraph } from "../compiler/graph/graph.ts";
import { interpretSegment } from "../compiler/graph/interpret.ts";
import type { Tensor } from "../compiler/graph/op.ts";
import { ops } from "../compiler/ops/index.ts";
import type { Data } from "../runtime/devices/device.ts";
import { assert, group } from "./harness.ts";
import { openParts } from "./segment-session.ts";

interface Case {
  readonly what: string;
  readonly heads: readonly [query: number, key: number, width: number];
  /** The first and the last slot that a query sees; absent: the last alone, its own. */
  readonly sees?: (token: number, tokens: number) => readonly [number, number];
  readonly attrs?: Readonly<Record<string, number | boolean>>;
  readonly wants?: readonly number[];
  /** Whether a score of each head takes a share; input 4 is that score. */
  readonly sink?: true;
}

const largest = { b: 3, t: 40 };

/** Projections before, a product after: what lies between the kernels is read and made by graphs. */
const segmentOf = ({ heads: [h, g, d], sees, attrs = {}, wants = [0, 1, 2], sink }: Case): SegmentGraph => {
  const graph = createGraph();
  const input = (name: string, ...shape: (number | string)[]) => graph.input(name, { dtype: "f32", shape });
  const x = input("x", "b", "t", 8);
  const seen = graph.input("sees", { dtype: "i32", shape: sees ? ["b", "t", 2] : ["b", "t"] });
  const product = (weight: string, heads: number) =>
    graph.add("reshape", [graph.add("matmul", [x, input(weight, heads * d, 8)], { transpose_b: true })], {
      shape: ["b", "t", heads, d],
    });
  const operands = [product("wq", h), product("wk", g), product("wv", g), seen, ...(sink ? [input("sink", h)] : [])];
  const op = sink ? "attention_with_sink" : "attention";
  const attention = graph.add(op, operands, attrs);
  const out = sink ? attention : graph.pick(attention, 0);
  const scaled = graph.add("mul", [out, out]);
  const dout = input("dout", "b", "t", h, d);
  const gradients = ops.get(op)!.gradient!({
    graph,
    node: attention,
    d: [dout],
    wants: operands.map((_, i) => wants.includes(i)),
  });
  const result = graph.add("reshape", [scaled], { shape: ["b", "t", h * d] });
  return {
    name: "attention",
    inputs: graph.nodes.filter((node) => node.op === "input").map((node) => ({ name: String(node.attrs.name), node })),
    outputs: [
      { name: "out", node: out },
      ...(sink ? [] : [{ name: "lse", node: graph.pick(attention, 1) }]),
      { name: "result", node: result },
      ...wants.map((i) => ({ name: `d${i}`, node: graph.add("mul", [gradients[i]!, graph.constant(2)]) })),
    ],
  };
};

const kinds = (emitted: Emitted): string => emitted.parts.map((part) => ("wasm" in part ? "kernel" : "graph")).join(" ");

/** Several threads on one kernel, or each on its own. */
interface Machine {
  readonly threads: number;
  readonly shared: boolean;
}

const twoThreads: Machine = { threads: 2, shared: true };

/** Kernels and reference on the same numbers, which are about 1: the largest difference of any output, relative to its largest element. */
const difference = async (segment: SegmentGraph, one: Case, machine: Machine, tamper = (_path: string, bytes: Uint8Array) => bytes) => {
  const emitted = emitParts(segment, "s", { sizes: largest, shared: machine.shared });
  const files = new Map(emitted.files.map(([path, bytes]) => [path, tamper(path, bytes)]));
  const session = await openParts(segment, emitted, largest, machine, async (path) => files.get(path)!);
  let worst = 0;
  for (const dims of [{ b: 2, t: 33 }, { b: 3, t: 16 }, { b: 1, t: 1 }, largest]) {
    const inputs: Record<string, Tensor> = {};
    for (const [i, { name, node }] of segment.inputs.entries()) {
      const shape = node.type.shape.map((dim) => (typeof dim === "number" ? dim : (dims as Record<string, number>)[dim]!));
      const count = shape.reduce((a, b) => a * b, 1);
      const seen = (at: number): number => (one.sees ? one.sees(Math.floor(at / 2) % dims.t, dims.t)[at % 2]! : at % dims.t);
      const data = Float64Array.from({ length: count }, (_, at) =>
        name === "sees" ? seen(at) : Math.fround(Math.sin(at * (i + 1.7) + i)),
      );
      inputs[name] = { shape, data };
      await session.write(name, node.type.dtype === "i32" ? Int32Array.from(data) : Float32Array.from(data), "p");
    }
    await session.run("p", dims);
    const expected = interpretSegment(segment, inputs, dims);
    for (const { name } of segment.outputs) {
      const actual: Data = await session.read(name, "p");
      const { data } = expected[name]!;
      assert.is(actual.length, data.length);
      const scale = data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      for (let i = 0; i < data.length; i++) worst = Math.max(worst, Math.abs(actual[i]! - data[i]!) / scale);
    }
  }
  await session.close();
  return worst;
};

const cases: readonly Case[] = [
  { what: "grouped heads, causal", heads: [4, 2, 8] },
  { what: "one key head for all, the widest that is a kernel", heads: [3, 1, 32] },
  { what: "width 4, which no eight components fill", heads: [2, 2, 4], attrs: { scale: 0.7 } },
  { what: "width 12", heads: [2, 1, 12] },
  { what: "a window", heads: [4, 2, 8], sees: (token) => [Math.max(0, token - 5), token] },
  { what: "rows packed together", heads: [4, 2, 8], sees: (token) => (token < 11 ? [0, token] : [11, token]) },
  { what: "every slot", heads: [2, 2, 8], attrs: { causal: false } },
  { what: "slots ahead, as an encoder's", heads: [2, 2, 8], sees: (_, tokens) => [0, Math.max(0, tokens - 3)] },
  {
    what: "padding that sees nothing",
    heads: [4, 2, 8],
    sees: (token, tokens) => (token < tokens - 20 ? [Math.max(0, token - 5), token] : [token - 5, tokens - 28]),
  },
  { what: "every third token sees nothing", heads: [2, 2, 8], sees: (token) => (token % 3 === 1 ? [4, 2] : [0, token]) },
  { what: "a sink, causal", heads: [4, 2, 8], sink: true, wants: [0, 1, 2, 4] },
  {
    what: "a sink, and every third token sees nothing else",
    heads: [2, 2, 8],
    sees: (token) => (token % 3 === 1 ? [4, 2] : [0, token]),
    sink: true,
  },
  { what: "the gradient of the query alone", heads: [4, 2, 8], wants: [0] },
  { what: "the gradients of key and value alone", heads: [4, 2, 8], wants: [1, 2] },
  { what: "scores so far apart that most probabilities are nothing", heads: [2, 1, 8], attrs: { scale: 12 } },
];

group("parts", (test) => {
  for (const one of cases)
    test(`attention as a kernel is its meaning: ${one.what}`, async () => {
      const segment = segmentOf(one);
      assert.is(kinds(emitParts(segment, "s", { sizes: largest, shared: true })), "graph kernel graph kernel graph");
      for (const machine of [{ threads: 1, shared: true }, twoThreads, { threads: 1, shared: false }]) {
        const worst = await difference(segment, one, machine);
        assert.ok(worst < 2e-5, `${JSON.stringify(machine)}: off by ${worst}`);
      }
    });

  test("a key that is not a number is seen by the queries that see it", async () => {
    const graph = createGraph();
    const [q, k, v] = ["q", "k", "v"].map((name) => graph.input(name, { dtype: "f32", shape: ["b", "t", 2, 8] }));
    const sees = graph.input("sees", { dtype: "i32", shape: ["b", "t"] });
    const named = (nodes: Record<string, Node>) => Object.entries(nodes).map(([name, node]) => ({ name, node }));
    const out = graph.pick(graph.add("attention", [q!, k!, v!, sees]), 0);
    const segment = { name: "attention", inputs: named({ q: q!, k: k!, v: v!, sees }), outputs: named({ out }) };
    const emitted = emitParts(segment, "s", { sizes: largest, shared: true });
    const files = new Map(emitted.files);
    const session = await openParts(segment, emitted, largest, twoThreads, async (path) => files.get(path)!);
    for (const name of ["q", "k", "v"]) await session.write(name, new Float32Array(16 * 16).fill(0.1), "p");
    await session.write(
      "sees",
      Int32Array.from({ length: 16 }, (_, i) => i),
      "p",
    );
    const keys = new Float32Array(16 * 16).fill(0.1);
    keys[16 * 3] = Number.NaN;
    await session.write("k", keys, "p");
    await session.run("p", { b: 1, t: 16 });
    const read = await session.read("out", "p");
    for (let token = 0; token < 16; token++) assert.is(Number.isNaN(read[16 * token]), token >= 3, `token ${token}`);
    await session.close();
  });

  test("a kernel whose scale is wrong is seen", async () => {
    const wrong = { ...cases[0]!, attrs: { scale: 0.3 } };
    const other = new Map(emitParts(segmentOf(wrong), "s", { sizes: largest, shared: true }).files);
    assert.ok((await difference(segmentOf(cases[0]!), cases[0]!, twoThreads, (path) => other.get(path)!)) > 1e-2);
  });

  test("wide heads, bounded scores and known lengths stay one graph", () => {
    for (const one of [{ heads: [2, 1, 64] }, { heads: [2, 1, 8], attrs: { softcap: 2 } }] as const)
      assert.is(kinds(emitParts(segmentOf({ what: "", ...one }), "s", { sizes: largest, shared: true })), "graph");
  });

  test("a kernel that stops is told, and does not hang", async () => {
    const stops = createKernel(10, true).module([0]);
    let told = "";
    await difference(segmentOf(cases[0]!), cases[0]!, twoThreads, (path, bytes) => (path.endsWith(".wasm") ? stops : bytes)).catch(
      (error) => {
        told = String(error);
      },
    );
    assert.match(told, "unreachable");
  });
});
