// Sweeps and comparisons: which points a block has, what each changes, and what is said about a block that cannot run.

import type { Point, PointSet } from "../../compiler/blocks/points.ts";
import { compile } from "../../compiler/compile.ts";
import { llamaConfig, memoryHost } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";

const file = (blocks: string): string => `peft 1
input rank: int = 2
base tiny = blank("base/")
adapter menu = lora(r: rank, alpha: 4) into tiny.layers.**
adapter other = lora(1) into tiny.layers.**
merge other into "m/"
data rows { train = text("rows.txt")  eval = text("held.txt")  answer = "{text}" }
data tales { eval = text("tales.txt")  answer = "{text}" }
train menu on rows { optimizer: adamw(learning_rate: 1e-3)  schedule: cosine(warmup: 10%)  steps: 10  seed: 1 }
evaluate menu on rows { metrics: [loss] }
evaluate tiny on tales { metrics: [loss] }
${blocks}`;

const hostOf = (text: string) => memoryHost({ "main.peft": text, "base/config.json": JSON.stringify(llamaConfig) });

const setsOf = async (blocks: string): Promise<readonly PointSet[]> => {
  const compiled = await compile({ file: "main.peft", goal: "check" }, hostOf(file(blocks)));
  assert.equal(
    compiled.diagnostics.map(({ code, message }) => `${code} ${message}`),
    [],
  );
  return compiled.points!;
};

const jobOf = async (blocks: string, set: PointSet, point: Point) => {
  const text = file(blocks);
  const compiled = await compile(
    { file: "main.peft", goal: "plan", point: { kind: set.kind, name: set.name, id: point.id } },
    hostOf(text),
  );
  assert.ok(compiled.job, compiled.diagnostics.map(({ message }) => message).join());
  return compiled.job!;
};

const codes = async (blocks: string): Promise<string[]> =>
  (await compile({ file: "main.peft", goal: "check" }, hostOf(file(blocks)))).diagnostics.map(({ code }) => code);

group("points", (test) => {
  test("a sweep is a grid of its keys; blocks of one name are one sweep, each point once", async () => {
    const [set, ...more] = await setsOf("sweep s over menu { r: [1, 2]  seed: [7, 8] }\nsweep s over menu { r: [2, 4]  seed: 7 }");
    assert.is(more.length, 0);
    assert.equal(
      set!.points.map(({ id }) => id),
      ["r=1,seed=7", "r=1,seed=8", "r=2,seed=7", "r=2,seed=8", "r=4,seed=7"],
    );
  });

  test("a value lands where its key is looked for: input, method, train, optimizer, schedule", async () => {
    const blocks =
      "sweep s over menu { r: [4]  steps: [3]  learning_rate: [0.5]  warmup: [2 steps]  seed: [9] }\nsweep i over menu { rank: [3, 6] }";
    const [set, inputs] = await setsOf(blocks);
    const job = await jobOf(blocks, set!, set!.points[0]!);
    const [train] = job.train;
    assert.equal([train!.steps, train!.seed], [3, 9]);
    assert.ok(JSON.stringify(train!.rate).includes("0.5"));
    const ranks = (one: typeof job): number[] => one.parameters.flatMap(({ name, shape }) => (name.endsWith("q.a") ? [shape[0]!] : []));
    assert.ok(ranks(job).length > 0 && ranks(job).every((rank) => rank === 4));
    for (const [i, rank] of [3, 6].entries())
      assert.ok(ranks(await jobOf(blocks, inputs!, inputs!.points[i]!)).every((one) => one === rank));
    // Only what the point needs is in it.
    assert.equal(
      job.adapters.map(({ name }) => name),
      ["menu"],
    );
    assert.equal([job.evaluate.length, job.merge.length], [1, 0]);
  });

  test("a comparison has the base, then every candidate per seed, all under every evaluation", async () => {
    const blocks = "compare c on rows { seeds: [1, 2]  low: menu, top: tune() into tiny.layers.1.** }";
    const [set] = await setsOf(blocks);
    assert.equal(
      set!.points.map(({ id }) => id),
      ["method=tiny", "method=low,seed=1", "method=low,seed=2", "method=top,seed=1", "method=top,seed=2"],
    );
    const [base, , low, top] = await Promise.all(set!.points.map((point) => jobOf(blocks, set!, point)));
    assert.equal([base!.train.length, base!.adapters.length], [0, 0]);
    for (const [job, subject] of [
      [base!, "tiny"],
      [low!, "menu"],
      [top!, "top"],
    ] as const) {
      const own = job.evaluate.filter((one) => one.subject === subject);
      assert.equal(
        own.map(({ data }) => data),
        ["rows", "tales"],
      );
      // The base stands beside a candidate: what it costs merged is measured in its program.
      assert.is(job.evaluate.length, subject === "tiny" ? 2 : 4);
      assert.equal(
        job.merge.map(({ adapter }) => adapter),
        subject === "tiny" ? [] : [subject],
      );
    }
    assert.equal([low!.train[0]!.seed, low!.train[0]!.adapter, top!.train[0]!.adapter], [2, "menu", "top"]);
    assert.is(top!.train[0]!.steps, 10, "trained as the file trains on the same data");
  });

  test("a candidate's storage is the base's in its own points alone; what cannot be merged is not", async () => {
    const blocks = `compare c on rows {
      low: menu
      packed: menu store layers.*.{attn, mlp}.** as nf4(block: 16), embed as int8()
      soft: prompt(tokens: 2) into tiny
    }`.replace(", embed as int8()", "  store embed as nf4(block: 16)");
    const [set] = await setsOf(blocks);
    const [, low, packed, soft] = await Promise.all(set!.points.map((point) => jobOf(blocks, set!, point)));
    const formats = (job: typeof low): string[] => [...new Set(job!.parameters.flatMap(({ format }) => format ?? []))];
    assert.equal([formats(low), formats(soft)], [[], []]);
    assert.is(formats(packed).length, 1);
    assert.equal(
      [packed!, soft!].map(({ merge }) => merge.length),
      [1, 0],
    );
    assert.equal(await codes("compare c on rows { low: menu store layers.*.nope as nf4() }"), ["PEFT0312"]);
  });

  test("what cannot run is said: an unknown key, an untrained adapter, no values, no candidate, a mistake in one point", async () => {
    assert.equal(await codes("sweep s over menu { rnk: [1] }"), ["PEFT0519"]);
    assert.equal(await codes("sweep s over other { r: [1] }"), ["PEFT0520"]);
    assert.equal(await codes("sweep s over menu { r: [] }"), ["PEFT0521"]);
    assert.equal(await codes("sweep s over nobody { r: [1] }"), ["PEFT0320"]);
    assert.equal(await codes("compare c on rows { low: tune() }"), ["PEFT0524"]);
    assert.equal(await codes("compare c on rows { low: nobody }"), ["PEFT0320"]);
    assert.equal(await codes("compare c on nothing { low: menu }"), ["PEFT0317"]);
    assert.equal(
      await codes(
        `sweep s over menu { seed: [${Array.from({ length: 40 }, (_, i) => i)}]  steps: [${Array.from({ length: 30 }, (_, i) => i + 1)}] }`,
      ),
      ["PEFT0522"],
    );
    const unmeasured = file("compare c on rows { low: menu }").replace(/^evaluate.*$/gm, "");
    const { diagnostics } = await compile({ file: "main.peft", goal: "check" }, hostOf(unmeasured));
    assert.equal(
      diagnostics.map(({ code }) => code),
      ["PEFT0523"],
    );
    assert.equal(await codes("sweep s over menu { r: [1, 0] }"), ["PEFT0409"]);
    assert.equal(await codes("compare c on rows { low: lora(r: 1) into tiny.layers.*.attn.nope }"), ["PEFT0312"]);
  });
});
