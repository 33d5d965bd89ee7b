// Products with a matrix that lies packed: both directions from the same bytes, unpacked in the tile and to memory, equal the product
// with the unpacked matrix.

import { profiles } from "../../compiler/emit/profile.ts";
import { createGraph, type Node, type SegmentGraph } from "../../compiler/graph/graph.ts";
import { fuse } from "../../compiler/kernels/fuse.ts";
import { assert, group } from "../harness.ts";
import { type SampleInput, type Sizes, sampleSizes } from "../op-samples.ts";
import { agrees, missing } from "./run-segment.ts";

const table = Array.from({ length: 16 }, (_, i) => Math.fround(Math.tanh(i / 4 - 2)));

/** y = x·Wᵀ and dx = dy·W for a packed W [rows, columns]; its scales are themselves packed when `nested`. */
const products = (rows: number, columns: number, block: number, bits: 4 | 8, nested: boolean, offset: boolean) => {
  const graph = createGraph();
  const inputs: { name: string; node: Node }[] = [];
  const fills: Record<string, SampleInput> = {};
  const give = (name: string, input: SampleInput): Node => {
    const node = graph.input(name, { dtype: input.dtype ?? "f32", shape: input.shape });
    inputs.push({ name, node });
    fills[name] = input;
    return node;
  };
  const packed = (name: string, count: number, of: 4 | 8): Node =>
    give(name, { shape: [Math.ceil((count * of) / 8)], dtype: "u8", fill: { below: 256 } });
  const blocks = Math.ceil((rows * columns) / block);
  const scale = nested
    ? graph.add("add", [
        graph.add("decode", [packed("scale codes", blocks, 8), give("scale scales", { shape: [Math.ceil(blocks / 8)] })], {
          shape: [blocks],
          block: 8,
          bits: 8,
          signed: true,
          table: [],
        }),
        give("mean", { shape: [] }),
      ])
    : give("scales", { shape: [blocks] });
  const w = graph.add("decode", [packed("codes", rows * columns, bits), scale, ...(offset ? [give("offsets", { shape: [blocks] })] : [])], {
    shape: [rows, columns],
    block,
    bits,
    signed: bits === 8,
    table: bits === 4 ? table : [],
  });
  const y = graph.add("matmul", [give("x", { shape: ["b", "t", columns] }), w], { transpose_a: false, transpose_b: true });
  const dx = graph.add("matmul", [give("dy", { shape: ["b", "t", rows] }), w], { transpose_a: false, transpose_b: false });
  const segment = (name: string, node: Node): SegmentGraph => ({ name, inputs, outputs: [{ name, node }] });
  return {
    forward: segment("y", y),
    backward: segment("dx", dx),
    both: { name: "both", inputs, outputs: [...segment("y", y).outputs, ...segment("dx", dx).outputs] },
    fills,
  };
};

const used = (segment: SegmentGraph): SegmentGraph => {
  const needed = new Set<Node>();
  const stack = segment.outputs.map((output) => output.node);
  while (stack.length) {
    const node = stack.pop()!;
    if (needed.has(node)) continue;
    needed.add(node);
    stack.push(...node.inputs);
  }
  return { ...segment, inputs: segment.inputs.filter(({ node }) => needed.has(node)) };
};

const largest: Sizes = { b: 3, t: 3, n: 5, s: 5 };

const cases: readonly [string, ReturnType<typeof products>][] = [
  ["4 bits, blocks of 32", products(48, 64, 32, 4, false, false)],
  ["4 bits, blocks that run over rows", products(40, 36, 16, 4, true, false)],
  ["4 bits between two ends", products(24, 32, 16, 4, false, true)],
  ["8 bits by row", products(20, 33, 33, 8, false, false)],
];

group("webgpu decode", (test) => {
  for (const [name, { forward, backward, both, fills }] of cases)
    test(
      name,
      async () => {
        for (const segment of [used(forward), used(backward)]) {
          // With the sizes known to be small, the tile unpacks; without, a kernel of its own does.
          const inTile = fuse(segment, profiles.default!, largest);
          const apart = fuse(segment, profiles.default!);
          assert.ok(inTile.kernels.length < apart.kernels.length, "the tile unpacks");
          await agrees(segment, fills, sampleSizes, { kernels: inTile });
          await agrees(segment, fills, sampleSizes, { kernels: apart });
        }
        await agrees(used(both), fills, sampleSizes.slice(0, 1));
      },
      { skip: missing },
    );
  test("the tile unpacks while sixteen tiles or fewer read the matrix; beyond, a kernel unpacks it once", () => {
    for (const direction of ["forward", "backward"] as const) {
      const segment = used(products(64, 64, 32, 4, false, false)[direction]);
      const kernels = (t: number): number => fuse(segment, profiles.default!, { b: 1, t }).kernels.length;
      // A product with 64 columns is cut into tiles of 64 rows.
      assert.equal([1, 64, 16 * 64, 16 * 64 + 1].map(kernels), [1, 1, 1, 2], direction);
    }
  });
});
