// Laws of sizes that the data decides: what is counted is what the text says, from a decomposition made here; a budget is given out whole and
// to the largest shares; a target with none is left out; conditions, fused projections and bounds; each device measures the same.

import { measuredLines } from "../../compiler/check/check-measured.ts";
import { emitSegments } from "../../compiler/emit/segments.ts";
import type { Session } from "../../runtime/devices/device.ts";
import { initAdapter, measureAdapter } from "../../runtime/init.ts";
import { observerOf } from "../../runtime/observe.ts";
import { assert, group } from "../harness.ts";
import { device, missing } from "../webgpu/run-segment.ts";
import { openCpu, openReference } from "./sessions.ts";
import { type Built, build, drawAll, gptConfig, llamaConfig, someExamples } from "./support.ts";

const pipeline = (adapter: string, definitions = ""): string => `peft 1
${definitions}
base tiny = blank("base/", seed: 3)
adapter some = ${adapter}
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows { optimizer: sgd(learning_rate: 0.1)  steps: 1  micro_batch_size: 4  sequence_len: 8  observe: 5 rows }
`;

const every = "tiny.layers.**";

/** The sizes by place, as a session of the built file measures them. */
const measured = async ({ job }: Built, session: Session): Promise<ReadonlyMap<string, number>> => {
  await drawAll(job, (name, values) => session.write(name, values), { nonzero: true });
  const adapter = job.adapters.find(({ name }) => name === "some")!;
  const observe = observerOf(job, job.train[0]!, someExamples(job.base.vocab_size), session, () => {});
  const values = await measureAdapter(job, adapter, session, { observe });
  return new Map(adapter.measure!.sizes.map(({ path, value }) => [path, values.get(value)![0]!]));
};

const ranksOf = async (
  text: string,
  config: object = llamaConfig,
): Promise<{ readonly built: Built; readonly ranks: ReadonlyMap<string, number> }> => {
  const built = await build(text, config);
  return { built, ranks: await measured(built, await openReference(built)) };
};

const again = ({ compiled }: Built, text: string, config: object, ranks: ReadonlyMap<string, number>, name = "rank"): Promise<Built> => {
  const sizes = [...ranks].map(([path, size]) => ({ line: 0, path, name, size }));
  return build(text, config, undefined, measuredLines("some", sizes, compiled.checked!.measuredFrom));
};

const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

/** Counts the directions whose weight is at least so much of the first one's. */
const counting = `method counted(most: int = 8, least: float = 0.1) amends Linear {
  observe c: [in, in] = x.T @ x
  let s = svd(c, count: most).s
  measure size: 0..most = sum(if s < least * s[0] then 0 else 1, axes: [0])
  param a: [size, in] ~ uniform(-1, 1)
  param b: [out, size] ~ zeros
  weight = base.weight + b @ a
}
`;

/** The four largest of all. */
const few = "sum(here(among_largest(everywhere(s), count: 4)), axes: [0])";

/** Keeps what is observed, so that a test sees the numbers. */
const kept = `method kept_whole() amends Linear {
  observe c: [in, in] = x.T @ x
  frozen param c0: [in, in] = c
  param s: [out] ~ ones
  weight = base.weight * s[:, none]
}
`;

group("measured sizes", (test) => {
  test("a size is what its text counts: from what was observed, decomposed here", async () => {
    const { ranks } = await ranksOf(pipeline(`counted() into ${every}`, counting));
    const built = await build(pipeline(`kept_whole() into ${every}`, kept), llamaConfig);
    const session = await openReference(built);
    await drawAll(built.job, (name, values) => session.write(name, values), { nonzero: true });
    const adapter = built.job.adapters[0]!;
    await initAdapter(built.job, adapter, session, {
      observe: observerOf(built.job, built.job.train[0]!, someExamples(built.job.base.vocab_size), session, () => {}),
    });
    assert.is(ranks.size, 21);
    assert.ok(new Set(ranks.values()).size > 1, "every layer is alike: nothing is told apart");
    for (const [path, size] of ranks) {
      const products = (await session.read(`some:${path}.c0`)) as Float32Array;
      const values = eigenvalues(products, Math.sqrt(products.length));
      assert.is(size, values.slice(0, 8).filter((value) => value >= 0.1 * values[0]!).length, path);
    }
  });

  for (const [r, rho] of [
    [2, 2],
    [2, 4],
    [3, 1.5],
    [4, 3],
  ] as const)
    test(`a budget is given out whole: ${r} for each of 21 layers, at most ${rho} times as many`, async () => {
      const text = pipeline(`eva(r: ${r}, rho: ${rho}) into ${every}`);
      const { built, ranks } = await ranksOf(text);
      assert.is(sum(ranks.values()), 21 * r);
      const most = Math.ceil(rho * r - 0.5);
      assert.ok([...ranks.values()].every((rank) => rank >= 0 && rank <= most));
      assert.ok(new Set(ranks.values()).size > 1, "every layer has as many");
      // The last layer with the same input as another gets no more than that one.
      for (const layer of [0, 1, 2])
        for (const [first, second] of [
          ["attn.q", "attn.k"],
          ["attn.k", "attn.v"],
          ["mlp.gate", "mlp.up"],
        ])
          assert.ok(ranks.get(`layers.${layer}.${first}`)! >= ranks.get(`layers.${layer}.${second}`)!);

      const { job, compiled } = await again(built, text, llamaConfig, ranks);
      assert.equal(
        compiled.diagnostics.map(({ code }) => code),
        [],
      );
      const shapes = new Map(job.parameters.map(({ name, shape }) => [name, shape]));
      for (const [path, rank] of ranks) assert.equal([shapes.get(`some:${path}.a`)![0], shapes.get(`some:${path}.b`)![1]], [rank, rank]);
      const wide = sum([...ranks].map(([path, rank]) => rank * sum(job.parameters.find(({ name }) => name === `${path}.weight`)!.shape)));
      assert.is(job.adapters[0]!.trainable, wide);
      const { config } = job.adapters[0]!.files;
      const pattern = config.rank_pattern as Readonly<Record<string, number>>;
      assert.equal(
        [...new Set(Object.values(pattern))].sort(),
        [...new Set(ranks.values())].filter((rank) => rank !== r && rank > 0).sort(),
      );
    });

  test("a target with none is left out: of parameters, of files and of what is observed", async () => {
    const text = pipeline(`counted(most: 3) into ${every}`, counting.replace("sum(if s < least * s[0] then 0 else 1, axes: [0])", few));
    const { built, ranks } = await ranksOf(text);
    const left = [...ranks].flatMap(([path, size]) => (size > 0 ? [path] : []));
    assert.is(sum(ranks.values()), 4);
    assert.ok(left.length > 0 && left.length <= 4);
    const { job } = await again(built, text, llamaConfig, ranks, "size");
    assert.equal(job.adapters[0]!.parameters.filter((name) => name.endsWith(".a")).sort(), left.map((path) => `some:${path}.a`).sort());
    assert.is(job.adapters[0]!.files.tensors.length, 2 * left.length);
    assert.is(job.adapters[0]!.init, undefined, "no first value reads what only sizes follow from");
  });

  test("without more than the rank nothing is measured, and every layer has it", async () => {
    const { job, compiled } = await build(pipeline(`eva(r: 3) into ${every}`), llamaConfig);
    assert.equal(compiled.diagnostics, []);
    assert.is(job.adapters[0]!.measure, undefined);
    assert.is(job.adapters[0]!.files.config.r, 3);
    assert.equal(job.adapters[0]!.files.config.rank_pattern, {});
  });

  test("what is not measured is planned as large as it may be, and said", async () => {
    const text = pipeline(`eva(r: 3, rho: 2) into ${every}`);
    const { built, ranks } = await ranksOf(text);
    assert.equal(
      built.compiled.diagnostics.map(({ code }) => code),
      ["PEFT0375"],
    );
    const largest = await build(pipeline(`eva(r: 6) into ${every}`), llamaConfig);
    assert.is(built.job.adapters[0]!.trainable, largest.job.adapters[0]!.trainable);
    const exact = await again(built, text, llamaConfig, ranks);
    assert.ok(exact.job.adapters[0]!.trainable < built.job.adapters[0]!.trainable);
    assert.ok(exact.job.plan["train some"]! < built.job.plan["train some"]!);
  });

  test("a line with other targets, or sizes beyond its bounds, does not take what was measured", async () => {
    const text = pipeline(`eva(r: 3, rho: 2) into ${every}`);
    const { built, ranks } = await ranksOf(text);
    const failing = (of: string, sizes: ReadonlyMap<string, number>): Promise<string> =>
      again(built, of, llamaConfig, sizes).then(
        () => "nothing was refused",
        (error: unknown) => String(error),
      );
    assert.match(await failing(pipeline("eva(r: 3, rho: 2) into tiny.layers.*.attn.{q, v}"), ranks), /PEFT0377 .*method/);
    assert.match(await failing(pipeline(`eva(r: 2, rho: 3) into ${every}`), ranks), /PEFT0377 .*method/);
    assert.match(await failing(text.replace("5 rows", "4 rows"), ranks), /PEFT0377 .*training/);
    assert.match(await failing(text.replace("seed: 3", "seed: 4"), ranks), /PEFT0377 .*base/);
    assert.match(await failing(text, new Map([...ranks].map(([path]) => [path, 7]))), /PEFT0376 .*7.*0 to 6/);
    assert.match(await failing(text, new Map([...ranks].map(([path]) => [path, 0]))), /PEFT0316 /);
    assert.is(await failing(text, ranks), "nothing was refused");
  });

  test("a projection that the model calls by its parts is measured by what enters them", async () => {
    const text = pipeline("eva(r: 2, rho: 2) into tiny.layers.*.attn.{qkv, out}");
    const { built, ranks } = await ranksOf(text, gptConfig);
    assert.is(sum(ranks.values()), 2 * ranks.size);
    await again(built, text, gptConfig, ranks);
  });

  test("the cpu device measures what the reference does", async () => {
    const text = pipeline(`eva(r: 3, rho: 2) into ${every}`);
    const { built, ranks } = await ranksOf(text);
    const cpu = await openCpu(built);
    assert.equal(await measured(built, cpu), ranks);
    await cpu.close();
  });

  test(
    "and so does webgpu",
    async () => {
      const text = pipeline("eva(r: 2, rho: 2) into tiny.layers.*.attn.{q, out}");
      const config = { ...llamaConfig, num_hidden_layers: 2 };
      const { built, ranks } = await ranksOf(text, config);
      const { job, files } = emitSegments(built);
      const gpu = await (await device()).open(job, async (path) => new TextEncoder().encode(files.get(path) as string));
      assert.equal(await measured({ ...built, job }, gpu), ranks);
      await gpu.close();
    },
    { skip: missing },
  );
});

/** Of a symmetric matrix, the largest first, by Jacobi's rotations. */
const eigenvalues = (given: Float32Array, n: number): number[] => {
  const a = Float64Array.from(given);
  for (let sweep = 0; sweep < 60; sweep++)
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(a[p * n + q]!) < 1e-14) continue;
        const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * a[p * n + q]!);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const [c, s] = [1 / Math.hypot(t, 1), t / Math.hypot(t, 1)];
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[k * n + p]!, a[k * n + q]!];
          [a[k * n + p], a[k * n + q]] = [c * x - s * y, s * x + c * y];
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[p * n + k]!, a[q * n + k]!];
          [a[p * n + k], a[q * n + k]] = [c * x - s * y, s * x + c * y];
        }
      }
  return Array.from({ length: n }, (_, i) => a[i * n + i]!).sort((x, y) => y - x);
};
