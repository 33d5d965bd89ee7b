// The product with a matrix that lies in a format, as WGSL, for every format of the library and both directions, x·Wᵀ and dy·W from the
// same bytes: unpacked in the product's tiles against unpacked to memory once and then multiplied, in turn, the fastest of some rounds in
// milliseconds. Every form is compared with the product in double precision first. Says which of the two the compiler takes
// (compiler/kernels/fuse.ts) and how often that was the faster. On a software GPU the times are those of a processor's cores.
//
//   npm run bench:kernels -- [--format NAME] [--size 256] [--tokens 64,1024,4096] [--rounds 5]

import { parseArgs } from "node:util";
import { profiles } from "../compiler/emit/profile.ts";
import type { SegmentGraph } from "../compiler/graph/graph.ts";
import { fuse } from "../compiler/kernels/fuse.ts";
import { decode, encode } from "../runtime/formats/encode.ts";
import { build, llamaConfig } from "../tests/compiler/support.ts";
import { everyFormat, normal, storedPipeline } from "../tests/formats/support.ts";
import { device, missing, openSegment } from "../tests/webgpu/run-segment.ts";
import { farthest, type PackedFormat, productWith } from "./packed.ts";

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "256" },
    tokens: { type: "string", default: "64,1024,4096" },
    rounds: { type: "string", default: "5" },
    format: { type: "string" },
  },
});
const size = Number(values.size);
const rounds = Number(values.rounds);
const profile = profiles.default!;
if (missing) {
  console.log(missing);
  process.exit(1);
}

/** x·Wᵀ or dy·W over the pieces of W. */
const product = (format: PackedFormat, backward: boolean): SegmentGraph =>
  productWith(backward ? "backward" : "forward", format, [size, size], (graph, w, give) =>
    graph.add("matmul", [give("x", { dtype: "f32", shape: ["b", "t", size] }), w], { transpose_b: !backward }),
  );

console.log(`W is ${size} x ${size}; ${(await device()).describe()}; the fastest of ${rounds} in ms`);
console.log("format              direction  tokens   in tiles  to memory  memory/tiles  taken      largest error");
let [best, all] = [0, 0];
for (const call of everyFormat.filter((one) => !values.format || one.startsWith(`${values.format}(`))) {
  const { compiled, job } = await build(storedPipeline(`layers.** as ${call}`), llamaConfig);
  const plan = compiled.checked!.base.stores[0]!.format;
  const stored = Object.values(job.formats)[0]!;
  const shape = [size, size];
  const pieces = encode(
    stored,
    normal(size * size, 1).map((x) => 0.05 * x),
    shape,
  );
  const matrix = decode(stored, pieces, shape);
  for (const backward of [false, true])
    for (const tokens of values.tokens.split(",").map(Number)) {
      const segment = product(plan, backward);
      const sizes = { b: 1, t: tokens };
      const inTiles = fuse(segment, profile, { b: 1, t: 1 });
      const toMemory = fuse(segment, profile);
      const taken = fuse(segment, profile, sizes).kernels.length;
      const x = normal(tokens * size, 2);
      const forms = inTiles.kernels.length < toMemory.kernels.length ? [inTiles, toMemory] : [inTiles];
      const runs: { run: () => Promise<void>; close: () => Promise<void> }[] = [];
      let error = 0;
      for (const kernels of forms) {
        const { session } = await openSegment(segment, sizes, { kernels });
        for (const [suffix, data] of pieces) await session.write(`w${suffix}`, data as never, "p");
        await session.write("x", x, "p");
        const run = async (): Promise<void> => {
          await session.run("p", sizes);
          await session.read("y", "p");
        };
        await session.run("p", sizes);
        error = Math.max(error, farthest((await session.read("y", "p")) as Float32Array, x, matrix, size, backward));
        runs.push({ run, close: () => session.close() });
      }
      const times: number[][] = runs.map(() => []);
      for (let round = -1; round < rounds; round++)
        for (const [i, { run }] of runs.entries()) {
          const start = performance.now();
          await run();
          if (round >= 0) times[i]!.push(performance.now() - start);
        }
      for (const { close } of runs) await close();
      const [tiles, memory] = times.map((each) => Math.min(...each)) as [number, number?];
      const choice = memory === undefined ? "a load" : taken === inTiles.kernels.length ? "in tiles" : "to memory";
      const cells = [
        tiles.toFixed(2).padStart(9),
        (memory?.toFixed(2) ?? "-").padStart(10),
        (memory ? (memory / tiles).toFixed(2) : "-").padStart(13),
      ];
      if (memory !== undefined) {
        all++;
        const [mine, other] = choice === "in tiles" ? [tiles, memory] : [memory, tiles];
        if (mine <= 1.05 * other) best++;
      }
      console.log(
        `${call.padEnd(19)} ${segment.name.padEnd(9)} ${String(tokens).padStart(7)}  ${cells.join(" ")}  ${choice.padEnd(10)} ${error.toExponential(1)}`,
      );
      if (error > 1e-4) throw new Error(`${call}: the product is wrong`);
    }
}
console.log(`what is taken is the faster, or within 5 % of it, in ${best} of ${all}`);
process.exit(0);
