// Laws of every method of the library that rebinds a weight, on a small llama: what starts as the base does; gradients equal finite
// differences; merged weights compute what the adapter computes; the cpu device agrees with the reference; and after training only
// what the method declares trained has moved.

import { std } from "../cli/embedded/std.ts";
import { reachable } from "../compiler/graph/graph.ts";
import type { Op } from "../compiler/graph/op.ts";
import { ops } from "../compiler/ops/index.ts";
import { parse } from "../grammar/parse.ts";
import type { Session } from "../runtime/devices/device.ts";
import { draw } from "../runtime/draw.ts";
import { initAdapter } from "../runtime/init.ts";
import { observerOf } from "../runtime/observe.ts";
import { lossOf, near, openCpu, openReference, stepOn, tellStep } from "./compiler/sessions.ts";
import { type Built, build, drawAll, llamaConfig, randomBatch, someExamples } from "./compiler/support.ts";
import { assert, group } from "./harness.ts";
import { changesParameters, type MethodSample, methodSamples } from "./method-samples.ts";

const pipeline = ({ use, unmergeable, observes }: MethodSample): string => `peft 1
base tiny = blank("base/", seed: 3)
adapter some ${use.startsWith("{") ? use : `= ${use}`}
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows { optimizer: adamw(learning_rate: 1e-2)  steps: 10  micro_batch_size: 2  sequence_len: 8${observes ? "  observe: 5 rows" : ""} }
evaluate some, tiny on rows.train { metrics: [loss]  micro_batch_size: 2  sequence_len: 8 }
${unmergeable ? "" : 'merge some into "merged/"'}
`;

/** First values as a run has them. */
const start = async ({ job }: Built, session: Session): Promise<void> => {
  await drawAll(job, (name, values) => session.write(name, values));
  await initAdapter(job, job.adapters[0]!, session, {
    observe: observerOf(job, job.train[0]!, someExamples(job.base.vocab_size), session, () => {}),
  });
};

/** Moves every trained parameter a little, so that nothing is zero by accident. Returns the values. */
const disturb = async ({ job }: Built, session: Session): Promise<Map<string, Float32Array>> => {
  const values = new Map<string, Float32Array>();
  for (const { name, trained, shape } of job.parameters) {
    if (!trained) continue;
    const noise = new Float32Array(shape.reduce((a, b) => a * b, 1));
    draw({ kind: "draw", distribution: "normal", args: [0.1] }, 5, name, noise);
    const value = ((await session.read(name)) as Float32Array).map((x, i) => x + noise[i]!);
    values.set(name, value);
    await session.write(name, value);
  }
  return values;
};

// Rules of combination have no meaning without adapters to combine, and laws of their own.
const library = [...std.values()]
  .filter((text) => !/\bdeltas\b/.test(text))
  .flatMap((text) => parse(text, "std").file.items.flatMap((item) => (item.kind === "method" ? [item] : [])));

const letThrough = async <T>(run: () => Promise<T>): Promise<T> => {
  const op = ops.get("stop_gradient") as { gradient: Op["gradient"] };
  const { gradient } = op;
  op.gradient = ({ d }) => [d[0]];
  try {
    return await run();
  } finally {
    op.gradient = gradient;
  }
};

group("method laws", (test) => {
  test("every method that rebinds a weight has a sample", () => {
    const names = library.filter(changesParameters).map(({ name }) => name.text);
    assert.equal(names.sort(), Object.keys(methodSamples).sort());
  });

  for (const [name, sample] of Object.entries(methodSamples)) {
    test(name, async () => {
      // A difference of losses knows no constants, so what a method holds constant in the backward pass is let through here.
      const built = await letThrough(() => build(pipeline(sample), llamaConfig));
      const { job } = built;
      const [adapter] = job.adapters;
      const session = await openReference(built);
      const batch = randomBatch(2, 8, job.base.vocab_size);
      await start(built, session);
      const base = await lossOf(session, "evaluate.1", batch);
      const first = await lossOf(session, "evaluate.0", batch);
      if (sample.starts !== false) near(first, base, 2e-6, "the adapted model starts as the base");

      // Gradients, at a place where nothing vanishes.
      const values = await disturb(built, session);
      near(await lossOf(session, "train.0.step", batch), await lossOf(session, "evaluate.0", batch), 1e-6, "training and evaluation agree");
      await lossOf(session, "train.0.step", batch);
      assert.ok(values.size > 0);
      const gradients = new Map<string, Float32Array>();
      for (const param of values.keys()) gradients.set(param, (await session.read(`gradient(${param})`)) as Float32Array);
      for (const [param, value] of values)
        for (const i of new Set([0, value.length >> 1, value.length - 1])) {
          const h = 2e-3;
          const at = async (delta: number): Promise<number> => {
            const moved = Float32Array.from(value);
            moved[i] = value[i]! + delta;
            await session.write(param, moved);
            return lossOf(session, "evaluate.0", batch);
          };
          const slope = ((await at(h)) - (await at(-h))) / (Math.fround(value[i]! + h) - Math.fround(value[i]! - h));
          await session.write(param, value);
          if (!sample.kinks?.(param)) near(gradients.get(param)![i]!, slope, 5e-3, `${param}[${i}]`, 3e-4);
        }
      const adapted = await lossOf(session, "evaluate.0", batch);
      assert.ok(Math.abs(adapted - base) > 1e-5, "the adapter changes nothing");

      // Merging.
      assert.is(adapter!.mergeable, sample.unmergeable === undefined);
      if (sample.unmergeable) assert.match(adapter!.unmergeable!, sample.unmergeable);
      const originals = new Map<string, Float32Array>();
      for (const { tensor, program, base: port, output } of job.merge[0]?.tensors ?? []) {
        const owner = job.parameters.find(({ source }) => "tensor" in source && source.tensor === tensor)!.name;
        originals.set(owner, (await session.read(owner)) as Float32Array);
        if (program && port) await session.write(port, originals.get(owner)!, program);
        if (program) await session.run(program, {});
        await session.write(owner, await session.read(output, program));
      }
      if (originals.size > 0) near(await lossOf(session, "evaluate.1", batch), adapted, 1e-6, "merged equals unmerged");
      for (const [owner, value] of originals) await session.write(owner, value);

      // The device, and what moves.
      const cpu = await openCpu(built);
      await start(built, cpu);
      const frozen = new Map<string, unknown>();
      for (const { name: param, trained } of job.parameters) if (!trained && job.values[param]) frozen.set(param, await cpu.read(param));
      const again = await openReference(built);
      await start(built, again);
      for (const one of [cpu, again]) await disturb(built, one);
      for (let step = 0; step < 3; step++) {
        const batchOf = randomBatch(2, 8, job.base.vocab_size, step + 2);
        const losses: number[] = [];
        for (const one of [cpu, again]) {
          losses.push(await stepOn(one, built, batchOf, step));
        }
        near(losses[0]!, losses[1]!, sample.loose ?? 2e-4, `loss of step ${step} on the device`);
      }
      for (const [param, value] of frozen) assert.equal(await cpu.read(param), value, `${param} has moved`);
      for (const [param, value] of values) assert.not.equal(await cpu.read(param), value, `${param} has not moved`);
      await cpu.close();
    });
  }

  const wide = {
    ...llamaConfig,
    hidden_size: 256,
    intermediate_size: 384,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 4,
  };
  for (const [name, { thin, observes }] of Object.entries(methodSamples))
    if (thin)
      test(`${name}: its change of a weight is never formed`, async () => {
        const use = `${thin} into tiny.layers.*.attn.{q, v}`;
        const text = pipeline({ use, ...(observes && { observes }) }).replaceAll(
          /micro_batch_size: 2 {2}sequence_len: 8/g,
          "micro_batch_size: 2  sequence_len: 32",
        );
        const { segments } = await build(text, wide);
        const formed = [...segments].flatMap(([id, segment]) =>
          /^layers\.(forward|backward)/.test(id)
            ? reachable(segment.outputs.map((output) => output.node)).filter(
                ({ op, type }) => !["input", "permute", "constant"].includes(op) && type.shape.join() === "256,256",
              )
            : [],
        );
        assert.equal(
          formed.map(({ op }) => op),
          [],
        );
      });

  test("a parameter's own rate is a multiple of the training's: one step of plain descent shows it", async () => {
    const text = pipeline({ use: "loraplus(r: 2, ratio: 4) into tiny.layers.*.attn.q" }).replace(
      "adamw(learning_rate: 1e-2)",
      "sgd(learning_rate: 0.5)",
    );
    const built = await build(text, llamaConfig);
    const { job } = built;
    const session = await openReference(built);
    await start(built, session);
    const before = await disturb(built, session);
    await lossOf(session, job.train[0]!.step, randomBatch(2, 8, job.base.vocab_size));
    await tellStep(session, "some.scalars", job.train[0]!.scalars, 0);
    const slopes = new Map<string, Float32Array>();
    for (const name of before.keys()) slopes.set(name, (await session.read(`gradient(${name})`)) as Float32Array);
    await session.run(job.train[0]!.norm, {});
    await session.run(job.train[0]!.update, {});
    for (const [name, value] of before) {
      const after = (await session.read(name)) as Float32Array;
      const rate = name.endsWith(".b") ? 2 : 0.5;
      for (const [i, x] of after.entries()) near(x, value[i]! - rate * slopes.get(name)![i]!, 1e-5, `${name}[${i}]`, 1e-6);
    }
  });
});
