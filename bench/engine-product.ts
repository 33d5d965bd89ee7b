// x·Wᵀ with a packed W on the CPU: ONNX Runtime's own product with 4-bit codes against unpacking in the graph and then multiplying, in turn,
// the fastest of some rounds in milliseconds, each compared with the product in double precision first. Why compiler/emit/onnx-decode.ts
// takes the first where it can.
//
//   npx tsx bench/engine-product.ts [--size 1024] [--tokens 16,256,1024] [--rounds 9]

import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { emitParts } from "../compiler/emit/parts.ts";
import type { SegmentGraph } from "../compiler/graph/graph.ts";
import type { Session } from "../runtime/devices/device.ts";
import { decode, encode } from "../runtime/formats/encode.ts";
import { build, llamaConfig } from "../tests/compiler/support.ts";
import { normal, storedPipeline } from "../tests/formats/support.ts";
import { openParts } from "../tests/segment-session.ts";
import { farthest, type PackedFormat, productWith } from "./packed.ts";

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "1024" },
    tokens: { type: "string", default: "16,256,1024" },
    rounds: { type: "string", default: "9" },
  },
});
const size = Number(values.size);
const shape = [size, size];
const threads = availableParallelism();

/** A weight of its own shape again is no weight that the engine would unpack. */
const product = (format: PackedFormat, apart: boolean): SegmentGraph =>
  productWith("product", format, shape, (graph, w, give) =>
    graph.add("matmul", [give("x", { dtype: "f32", shape: ["t", size] }), apart ? graph.add("reshape", [w], { shape }) : w], {
      transpose_b: true,
    }),
  );

console.log(`W is ${size} x ${size}; ${cpus()[0]?.model.trim()}, ${threads} threads; the fastest of ${values.rounds} in ms`);
console.log("format                tokens  engine's  unpacked first  unpacked / engine's  largest error");
for (const call of ["nf4()", "nf4(double: true)", "fp4()"]) {
  const { compiled, job } = await build(storedPipeline(`layers.** as ${call}`), llamaConfig);
  const stored = Object.values(job.formats)[0]!;
  const numbers = normal(size * size, 1).map((x) => 0.05 * x);
  const pieces = encode(stored, numbers, shape);
  const matrix = decode(stored, pieces, shape);
  for (const t of values.tokens.split(",").map(Number)) {
    const x = normal(t * size, 2);
    const sessions: Session[] = [];
    let error = 0;
    for (const apart of [false, true]) {
      const segment = product(compiled.checked!.base.stores[0]!.format, apart);
      const emitted = emitParts(segment, "s", { sizes: { t }, shared: true });
      const files = new Map(emitted.files);
      const engine = [...files.values()].some((bytes) => new TextDecoder("latin1").decode(bytes).includes("MatMulBnb4"));
      if (engine === apart) throw new Error("the two forms are not what they are called");
      const session = await openParts(segment, emitted, { t }, { threads, shared: true }, async (path) => files.get(path)!);
      for (const [suffix, data] of pieces) await session.write(`w${suffix}`, data, "p");
      await session.write("x", x, "p");
      await session.run("p", { t });
      error = Math.max(error, farthest((await session.read("y", "p")) as Float32Array, x, matrix, size, false));
      sessions.push(session);
    }
    if (error > 1e-4) throw new Error(`${call}: the product is wrong`);
    const best = sessions.map(() => Number.POSITIVE_INFINITY);
    for (let round = -2; round < Number(values.rounds); round++)
      for (const [i, session] of sessions.entries()) {
        const start = performance.now();
        await session.run("p", { t });
        if (round >= 0) best[i] = Math.min(best[i]!, performance.now() - start);
      }
    for (const session of sessions) await session.close();
    const [engine, apart] = best as [number, number];
    console.log(
      `${call.padEnd(20)} ${String(t).padStart(7)} ${engine.toFixed(2).padStart(9)} ${apart.toFixed(2).padStart(15)} ${(apart / engine).toFixed(2).padStart(20)}  ${error.toExponential(1)}`,
    );
  }
}
process.exit(0);
