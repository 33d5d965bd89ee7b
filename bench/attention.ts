// Attention and its gradient on the CPU: the WebAssembly kernel against the same meaning as ONNX nodes and against PyTorch's
// scaled_dot_product_attention (bench/peers/attention_torch.py), in turn, medians in milliseconds. Why narrow heads have a kernel.
//
//   npx tsx bench/attention.ts [--shape 16,142,8,4] [--widths 8,16,32,64] [--rounds 20]      rows, tokens, heads, key heads

import { spawnSync } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { emitOnnx } from "../compiler/emit/onnx.ts";
import { type Emitted, emitParts } from "../compiler/emit/parts.ts";
import { createGraph, type SegmentGraph } from "../compiler/graph/graph.ts";
import { openParts } from "../tests/segment-session.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "16,142,8,4" },
    widths: { type: "string", default: "8,16,32,64" },
    rounds: { type: "string", default: "20" },
  },
});
const [b, t, h, g] = values.shape.split(",").map(Number) as [number, number, number, number];
const rounds = Number(values.rounds);
const threads = availableParallelism();

const segmentsOf = (d: number): readonly SegmentGraph[] => {
  const graph = createGraph();
  const input = (name: string, heads: number) => graph.input(name, { dtype: "f32", shape: ["b", "t", heads, d] });
  const sees = graph.input("sees", { dtype: "i32", shape: ["b", "t"] });
  const operands = [input("q", h), input("k", g), input("v", g), sees];
  const forward = graph.add("attention", operands);
  const given = [...operands, input("out", h), graph.input("lse", { dtype: "f32", shape: ["b", "t", h] }), input("dout", h)];
  const gradient = graph.add("attention_gradient", given, { wants: ["query", "key", "value"] });
  const named = (nodes: typeof operands) => nodes.map((node) => ({ name: String(node.attrs.name), node }));
  const outputs = (node: (typeof operands)[number]) => node.types!.map((_, i) => ({ name: `y${i}`, node: graph.pick(node, i) }));
  return [
    { name: "forward", inputs: named(operands), outputs: outputs(forward) },
    { name: "gradient", inputs: named(given), outputs: outputs(gradient) },
  ];
};

const whole = (segment: SegmentGraph): Emitted => {
  const ends = { inputs: segment.inputs.map(({ name }) => name), outputs: segment.outputs.map(({ name }) => name) };
  return { parts: [{ onnx: "o", engine: 0, keeps: 1, ...ends }], between: {}, bytes: 0, files: [["o", emitOnnx(segment)]] };
};

const open = async (segment: SegmentGraph, emitted: Emitted): Promise<() => Promise<void>> => {
  const files = new Map(emitted.files);
  const session = await openParts(segment, emitted, { b, t }, { threads, shared: true }, async (path) => files.get(path)!);
  for (const { name, node } of segment.inputs) {
    const count = node.type.shape.reduce<number>((n, dim) => n * (dim === "b" ? b : dim === "t" ? t : Number(dim)), 1);
    const value = (i: number): number => (name === "sees" ? i % t : Math.sin(i * 1.7));
    const data = Array.from({ length: count }, (_, at) => value(at));
    await session.write(name, name === "sees" ? Int32Array.from(data) : Float32Array.from(data), "p");
  }
  return () => Promise.resolve(session.run("p", { b, t }));
};

const median = (times: number[]): number => times.sort((x, y) => x - y)[times.length >> 1]!;

console.log(`${b} rows of ${t} tokens, ${h} heads, ${g} key heads, causal; ${cpus()[0]?.model.trim()}, ${threads} threads`);
console.log("width            kernel ms   ONNX ms   PyTorch ms   ONNX / kernel   PyTorch / kernel");
for (const d of values.widths.split(",").map(Number)) {
  const torch = spawnSync("python3", ["bench/peers/attention_torch.py", [b, t, h, g, d, rounds].join()], { encoding: "utf8" });
  const peers = torch.status === 0 ? (JSON.parse(torch.stdout) as number[]) : [];
  for (const [i, segment] of segmentsOf(d).entries()) {
    const runs = [
      await open(segment, emitParts(segment, "s", { sizes: { b, t }, shared: true, widest: 1024 })),
      await open(segment, whole(segment)),
    ];
    const times: number[][] = [[], []];
    for (let round = -5; round < rounds; round++)
      for (const [k, run] of runs.entries()) {
        const start = performance.now();
        await run();
        if (round >= 0) times[k]!.push(performance.now() - start);
      }
    const [kernel, onnx] = times.map(median) as [number, number];
    const cell = (value: number | undefined, width: number, digits = 2): string => (value?.toFixed(digits) ?? "–").padStart(width);
    console.log(
      `${String(d).padEnd(4)} ${segment.name.padEnd(10)} ${cell(kernel, 10)} ${cell(onnx, 9)} ${cell(peers[i], 12)} ${cell(onnx / kernel, 15)} ${cell(peers[i] && peers[i] / kernel, 18)}`,
    );
  }
}
process.exit(0);
