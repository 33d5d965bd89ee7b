// Lanes of the cpu device: what they compute together is what one would, and a lane sees what changed, or tells that it failed.

import fc from "fast-check";
import { emitOnnx } from "../../compiler/emit/onnx.ts";
import { createGraph, type SegmentGraph } from "../../compiler/graph/graph.ts";
import type { PlannedBatch } from "../../runtime/data/batches.ts";
import type { Examples } from "../../runtime/data/examples.ts";
import { shareOut } from "../../runtime/data/shares.ts";
import { cpuDevice } from "../../runtime/devices/cpu.ts";
import type { Session } from "../../runtime/devices/device.ts";
import { assert, group } from "../harness.ts";
import { emptyJob } from "./job.ts";

const examplesOf = (lengths: readonly number[]): Examples => {
  const starts = Int32Array.from([0, ...lengths]);
  for (let i = 0; i < lengths.length; i++) starts[i + 1]! += starts[i]!;
  const total = starts.at(-1)!;
  // Every third example has no label.
  const labels = new Uint8Array(total);
  lengths.forEach((length, i) => {
    if (i % 3 < 2) labels.fill(1, starts[i]! + 1, starts[i]! + length);
  });
  return { count: lengths.length, ids: new Int32Array(total), labels, starts, rows: new Int32Array(lengths.length) };
};

const planned = (examples: Examples, per?: readonly number[]): PlannedBatch => ({
  examples: Int32Array.from({ length: examples.count }, (_, i) => i),
  ...(per && { per: Int32Array.from(per) }),
  labels: examples.labels.reduce((sum, label) => sum + label, 0),
});

/** The smallest largest share, by trying every way to cut rows that are sorted by length. */
const best = (lengths: readonly number[], count: number): number => {
  if (lengths.length === 0) return 0;
  if (count === 1) return lengths.length * lengths.at(-1)!;
  return Math.min(...lengths.map((length, i) => Math.max((i + 1) * length, best(lengths.slice(i + 1), count - 1))));
};

const f = (...shape: (number | string)[]) => ({ dtype: "f32" as const, shape });

/** sum over rows of (x @ w)², and the gradient of w, which is summed too; and a program that moves w. */
const graphs = (): Record<string, SegmentGraph> => {
  const step = createGraph();
  const [all, w] = [step.input("x", f("b", 3)), step.input("w", f(3, 2))];
  const rows = step.input("rows", { dtype: "i32", shape: ["b"] });
  const x = step.add("gather", [all, rows]);
  const y = step.add("matmul", [x, w], { transpose_a: false, transpose_b: false });
  const loss = step.add("sum", [step.add("mul", [y, y])], { axes: [0, 1], keep: false });
  const gradient = step.add("matmul", [x, y], { transpose_a: true, transpose_b: false });
  const move = createGraph();
  const [old, rate] = [move.input("w", f(3, 2)), move.input("rate", f())];
  const next = move.add("mul", [old, rate]);
  const named = (nodes: Record<string, typeof x>) => Object.entries(nodes).map(([name, node]) => ({ name, node }));
  return {
    step: { name: "step", inputs: named({ x: all, w, rows }), outputs: named({ loss, gradient }) },
    move: { name: "move", inputs: named({ w: old, rate }), outputs: named({ next }) },
  };
};

const open = async (threads = 3): Promise<Session> => {
  const at = (shape: ReturnType<typeof f>, arena: string, offset: number) => ({ ...shape, place: { arena, offset } });
  const segments = graphs();
  const call = (segment: string, inputs: string[], outputs: string[]) => ({ calls: [{ segment, inputs, outputs }], inputs, outputs });
  const job = emptyJob({
    lanes: 3,
    dims: { b: 8 },
    arenas: { batch: 256, state: 256, results: 64 },
    values: {
      x: at(f("b", 3), "batch", 0),
      rows: { dtype: "i32", shape: ["b"], place: { arena: "batch", offset: 128 } },
      w: at(f(3, 2), "state", 0),
      rate: at(f(), "state", 64),
      gradient: { ...f(3, 2), place: { own: true } },
    },
    segments: Object.fromEntries(
      Object.entries(segments).map(([name, { inputs, outputs }]) => {
        const port = ({ name, node }: SegmentGraph["inputs"][number]) => ({ name, ...node.type });
        const ends = { inputs: inputs.map((one) => one.name), outputs: outputs.map((one) => one.name) };
        const parts = [{ onnx: name, engine: 0, keeps: 1, ...ends }];
        return [
          name,
          { inputs: inputs.map(port), outputs: outputs.map(port), parts, between: {}, wgsl: "", kernels: [], scratch: {}, flops: 0 },
        ];
      }),
    ),
    programs: {
      step: {
        values: { loss: at(f(), "results", 0) },
        ...call("step", ["x", "w", "rows"], ["loss", "gradient"]),
        dims: { b: 8 },
        peak: 0,
        flops: 0,
      },
      move: { values: {}, ...call("move", ["w", "rate"], ["w"]), dims: {}, peak: 0, flops: 0 },
    },
  });
  const device = await cpuDevice({ threads });
  return device.open(job, async (path) => emitOnnx(segments[path]!));
};

const numbers = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(seed + 1.3 * i));
const share = (x: Float32Array, first = 0) => {
  const b = x.length / 3;
  const rows = Int32Array.from({ length: b }, (_, i) => i || first);
  return { dims: { b }, values: [["x", x] as const, ["rows", rows] as const] };
};

const expected = (x: Float32Array, w: Float32Array) => {
  let loss = 0;
  const gradient = new Float64Array(6);
  for (let row = 0; row < x.length / 3; row++)
    for (let j = 0; j < 2; j++) {
      let y = 0;
      for (let k = 0; k < 3; k++) y += x[3 * row + k]! * w[2 * k + j]!;
      loss += y * y;
      for (let k = 0; k < 3; k++) gradient[2 * k + j]! += x[3 * row + k]! * y;
    }
  return { loss, gradient };
};

const holds = async (session: Session, x: Float32Array, w: Float32Array): Promise<void> => {
  const { loss, gradient } = expected(x, w);
  const [got] = (await session.read("loss", "step")) as Float32Array;
  assert.ok(Math.abs(got! - loss) < 1e-5 * loss, `the loss is ${got}, not ${loss}`);
  ((await session.read("gradient")) as Float32Array).forEach((value, i) => {
    assert.ok(Math.abs(value - gradient[i]!) < 1e-5, `element ${i} is ${value}, not ${gradient[i]}`);
  });
};

group("lanes", (test) => {
  test("shares hold every row with a label once, and the largest is as small as it can be", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 2, max: 40 }), { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 4 }),
        (lengths, count) => {
          const examples = examplesOf(lengths);
          const whole = planned(examples);
          const shares = shareOut(examples, whole, count);
          assert.ok(shares.length <= count);
          assert.is(
            shares.reduce((sum, { labels }) => sum + labels, 0),
            whole.labels,
          );
          const seen = shares.flatMap((one) => [...one.examples]);
          assert.is(new Set(seen).size, seen.length);
          for (let i = 0; i < lengths.length; i++) assert.ok(i % 3 === 2 || seen.includes(i));
          const sorted = [...lengths].sort((a, b) => a - b);
          const largest = Math.max(...shares.map((one) => one.examples.length * Math.max(...Array.from(one.examples, (i) => lengths[i]!))));
          assert.ok(largest <= best(sorted, count));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("packed rows stay together", () => {
    const shares = shareOut(examplesOf([5, 6, 7, 8, 9]), planned(examplesOf([5, 6, 7, 8, 9]), [2, 1, 2]), 2);
    assert.equal(
      shares.map(({ examples, per }) => [[...examples], [...per!]]),
      [
        [
          [2, 0, 1],
          [1, 2],
        ],
        [[3, 4], [2]],
      ],
    );
  });

  test("what shares give is summed, whatever their sizes, and a lane sees a weight that was written, or moved by a program", async () => {
    const session = await open();
    let w = numbers(6, 1);
    await session.write("w", w);
    const parts = [numbers(12, 2), numbers(3, 3), numbers(9, 4)];
    const all = Float32Array.from(parts.flatMap((part) => [...part]));
    const run = () =>
      session.lanes!.run(
        "step",
        parts.map((part) => share(part)),
        ["loss", "gradient"],
      );
    await run();
    await holds(session, all, w);
    const before = await session.read("gradient");
    await run();
    assert.equal(await session.read("gradient"), before, "the same bits again");
    w = numbers(6, 9);
    await session.write("w", w);
    await run();
    await holds(session, all, w);
    await session.write("rate", Float32Array.of(0.5));
    await session.run("move", {});
    w = w.map((value) => value / 2);
    await session.lanes!.run(
      "step",
      parts.slice(0, 2).map((part) => share(part)),
      ["loss", "gradient"],
    );
    await holds(session, Float32Array.from([...parts[0]!, ...parts[1]!]), w);
    await session.writePart("w", 2, Float32Array.of(7));
    w[2] = 7;
    await run();
    await holds(session, all, w);
    assert.ok(session.bytes() > 512);
    await session.close();
  });

  test("one thread has no lanes", async () => {
    const session = await open(1);
    assert.is(session.lanes, undefined);
    await session.close();
  });

  test("a lane that cannot compute is told, and works afterwards", async () => {
    const session = await open(2);
    const [w, x] = [numbers(6, 1), numbers(3, 2)];
    await session.write("w", w);
    let told = "";
    await session.lanes!.run("step", [share(x), share(x, 5)], ["loss", "gradient"]).catch((error) => {
      told = String(error);
    });
    assert.match(told, /indices|out of/);
    await session.lanes!.run("step", [share(x), share(x)], ["loss", "gradient"]);
    await holds(session, Float32Array.from([...x, ...x]), w);
    await session.close();
  });
});
