// Laws of the training graph, on whole models: gradients against finite differences of the evaluated loss, both bracketings
// against each other, merged against unmerged, generation against one whole pass, devices against the interpreter.

import type { Op } from "../../compiler/graph/op.ts";
import { ops } from "../../compiler/ops/index.ts";
import { evaluateScalar } from "../../spec/scalar.ts";
import { assert, group } from "../harness.ts";
import { give, lossOf, near, openCpu, openReference } from "./sessions.ts";
import { type Built, build, drawAll, gptConfig, llamaConfig, randomBatch } from "./support.ts";

const pipeline = (adapter: string, more = ""): string => `peft 1
base tiny = blank("base/", seed: 3)
adapter some ${adapter.startsWith("{") ? adapter : `= ${adapter}`}
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows {
  optimizer: adamw(learning_rate: 1e-2, weight_decay: 0.1)
  schedule: cosine(warmup: 2 steps)
  steps: 10  micro_batch_size: 2  sequence_len: 8  max_grad_norm: 1.0
}
evaluate some, tiny on rows.train { metrics: [loss]  generate: greedy(max_new_tokens: 8)  micro_batch_size: 2  sequence_len: 8 }
${more}`;

/** Largest relative error of the first element's gradient over all trained parameters, against central differences. */
const worstGradient = async (built: Built): Promise<number> => {
  const { job } = built;
  const session = await openReference(built);
  const values = await drawAll(job, (name, data) => session.write(name, data), { nonzero: true });
  const batch = randomBatch(2, 8, job.base.vocab_size);
  await lossOf(session, "train.0.step", batch);
  let worst = 0;
  for (const { name } of job.parameters.filter((parameter) => parameter.trained)) {
    const gradient = ((await session.read(`gradient(${name})`)) as Float32Array)[0]!;
    const value = values.get(name)!;
    const at = async (delta: number): Promise<number> => {
      const moved = Float32Array.from(value);
      moved[0]! += delta;
      await session.write(name, moved);
      return lossOf(session, "evaluate.0", batch);
    };
    const difference = ((await at(1e-3)) - (await at(-1e-3))) / 2e-3;
    await session.write(name, value);
    worst = Math.max(worst, Math.abs(gradient - difference) / (Math.abs(difference) + 0.05));
  }
  return worst;
};

const cases: readonly [string, string, object][] = [
  ["lora on every linear layer of a llama", "lora(r: 2, alpha: 3) into tiny.layers.**", llamaConfig],
  ["lora on two projections of the upper layers", "lora(r: 2) into tiny.layers.1..2.attn.{q, v}", llamaConfig],
  ["a rank beyond what a thin product pays for", "lora(r: 12) into tiny.layers.*.mlp.**", llamaConfig],
  ["all parameters, with a tied head", "tune() into tiny.**", llamaConfig],
  ["norms of a gpt2", "tune() into tiny.**.{attn_norm, mlp_norm}", gptConfig],
  ["all parameters of a gpt2", "tune() into tiny.**", gptConfig],
  ["lora on a fused projection", "lora(r: 2) into tiny.layers.*.attn.qkv", gptConfig],
  [
    "a block of ranks, and norms beside",
    "{ lora(r: 2) into tiny.layers.*.attn.{q, v}  lora(r: 3) into tiny.layers.*.mlp.up  tune() into tiny.**.mlp_norm }",
    llamaConfig,
  ],
];

group("training graph", (test) => {
  for (const [title, adapter, config] of cases)
    test(`${title}: gradients equal finite differences`, async () => {
      const built = await build(pipeline(adapter), config);
      const { job } = built;
      const session = await openReference(built);
      const values = await drawAll(job, (name, data) => session.write(name, data), { nonzero: true });
      const batch = randomBatch(2, 8, job.base.vocab_size);
      const loss = await lossOf(session, "train.0.step", batch);
      near(loss, await lossOf(session, "evaluate.0", batch), 1e-6, "training and evaluation compute one loss");
      await give(session, batch);
      await session.run("train.0.step", { b: batch.b, t: batch.t, n: batch.n });
      const trained = job.parameters.filter((parameter) => parameter.trained);
      for (const { name } of trained) {
        const gradient = (await session.read(`gradient(${name})`)) as Float32Array;
        const value = values.get(name)!;
        for (const i of [0, Math.floor(value.length / 2), value.length - 1]) {
          const h = 1e-3;
          const at = async (delta: number): Promise<number> => {
            const moved = Float32Array.from(value);
            moved[i] = value[i]! + delta;
            await session.write(name, moved);
            return lossOf(session, "evaluate.0", batch);
          };
          const [up, down] = [await at(h), await at(-h)];
          await session.write(name, value);
          const moved = Math.fround(value[i]! + h) - Math.fround(value[i]! - h);
          near(gradient[i]!, (up - down) / moved, 2e-3, `${name}[${i}]`, 2e-4);
        }
      }
    });

  test("a wrong gradient of one op is seen in the whole", async () => {
    const faults: readonly [string, Partial<Op>][] = [
      ["silu", { gradient: ({ d }) => [d[0]] }],
      ["rms_norm", { gradient: ({ d, wants }) => wants.map((wanted) => (wanted ? d[0] : undefined)) }],
      ["rotate", { gradient: ({ d }) => [d[0], undefined, undefined] }],
    ];
    for (const [name, fault] of faults) {
      const honest = ops.get(name)!;
      try {
        (ops as Map<string, Op>).set(name, { ...honest, ...fault });
        const built = await build(pipeline("lora(r: 2) into tiny.layers.**"), llamaConfig);
        const worst = await worstGradient(built);
        assert.ok(worst > 0.01, `${name}: off by ${worst}`);
      } finally {
        (ops as Map<string, Op>).set(name, honest);
      }
    }
    assert.ok((await worstGradient(await build(pipeline("lora(r: 2) into tiny.layers.**"), llamaConfig))) < 0.01);
  });

  test("only what is trained has a gradient, and layers below the lowest have no backward pass", async () => {
    const { job } = await build(pipeline("lora(r: 2) into tiny.layers.2.attn.q"), llamaConfig);
    const gradients = Object.keys(job.values).filter((name) => name.startsWith("gradient(") || name.includes("gradient(some:"));
    assert.equal(gradients.sort(), ["gradient(some:layers.2.attn.q.a)", "gradient(some:layers.2.attn.q.b)"]);
    const backward = job.programs["train.0.step"]!.calls.filter((call) => call.segment.startsWith("layers.backward"));
    assert.is(backward.length, 1);
  });

  test("thin products are formed first where that is cheaper, and never where it is not", async () => {
    const wide = { ...llamaConfig, hidden_size: 256, intermediate_size: 512, max_position_embeddings: 64 };
    const text = (rows: number, length: number): string =>
      pipeline("lora(r: 2) into tiny.layers.*.mlp.up").replace(
        "micro_batch_size: 2  sequence_len: 8  max",
        `micro_batch_size: ${rows}  sequence_len: ${length}  max`,
      );
    const shapes = async (rows: number, length: number): Promise<string> => {
      const { segments } = await build(text(rows, length), wide);
      const forward = [...segments.values()].find((segment) => segment.name === "layers.forward")!;
      const up = forward.inputs.find((input) => input.name === "mlp.up.weight")!.node;
      const graph = new Set<string>();
      const visit = (node: (typeof forward.outputs)[number]["node"]): void => {
        if (node.inputs.includes(up)) graph.add(node.op);
        for (const input of node.inputs) visit(input);
      };
      for (const output of forward.outputs) visit(output.node);
      return [...graph].join();
    };
    assert.is(await shapes(1, 8), "matmul", "few tokens: x·Wᵀ + (x·Aᵀ)·Bᵀ");
    assert.is(await shapes(64, 64), "add", "many tokens: x·(W + B·A)ᵀ");
  });

  for (const [title, adapter, config] of cases.filter(([, adapter]) => adapter.startsWith("lora")))
    test(`${title}: merged equals unmerged`, async () => {
      const built = await build(pipeline(adapter, `merge some into "merged/"`), config);
      const { job } = built;
      const session = await openReference(built);
      const values = await drawAll(job, (name, data) => session.write(name, data), { nonzero: true });
      const batch = randomBatch(2, 8, job.base.vocab_size);
      const unmerged = await lossOf(session, "evaluate.0", batch);
      const before = await lossOf(session, "evaluate.1", batch);
      for (const tensor of job.merge[0]!.tensors) {
        const name = tensor.program!.split(").")[1]!;
        await session.write("base", values.get(name)!, tensor.program);
        await session.run(tensor.program!, {});
        await session.write(name, await session.read("merged", tensor.program));
      }
      const merged = await lossOf(session, "evaluate.1", batch);
      near(merged, unmerged, 1e-6, "merged");
      assert.ok(Math.abs(before - unmerged) > 1e-3, "the adapter does something");
    });

  test("generation token by token equals one whole pass", async () => {
    for (const [config, vocabulary] of [
      [llamaConfig, 19],
      [gptConfig, 11],
    ] as const) {
      const built = await build(pipeline("lora(r: 2) into tiny.layers.**"), config);
      const session = await openReference(built);
      await drawAll(built.job, (name, data) => session.write(name, data), { nonzero: true });
      const { ids } = randomBatch(2, 8, vocabulary);
      const s = built.job.programs["generate.0"]!.dims.s!;
      const logits = async (from: number, count: number): Promise<Float32Array> => {
        const piece = (row: number, i: number): number => ids[row * 8 + from + i]!;
        await session.write(
          "ids",
          Int32Array.from({ length: 2 * count }, (_, k) => piece(Math.floor(k / count), k % count)),
        );
        await session.write(
          "positions",
          Int32Array.from({ length: 2 * count }, (_, k) => from + (k % count)),
        );
        await session.write("rows", Int32Array.of(count - 1, 2 * count - 1));
        await session.run("generate.0", { b: 2, t: count, n: 2, s });
        return (await session.read("logits", "generate.0")) as Float32Array;
      };
      const whole = await logits(0, 8);
      await logits(0, 3);
      let stepped = new Float32Array();
      for (let i = 3; i < 8; i++) stepped = (await logits(i, 1)) as Float32Array<ArrayBuffer>;
      for (const [i, value] of whole.entries()) near(stepped[i]!, value, 1e-6, `logit ${i}`, 1e-6);
    }
  });

  test("dropout: evaluation ignores it, training with one seed has one loss, gradients fit that loss", async () => {
    const built = await build(pipeline("lora(r: 2, dropout: 0.4) into tiny.layers.*.attn.q"), llamaConfig);
    const { job } = built;
    assert.is(job.train[0]!.seeds, 3);
    const session = await openReference(built);
    const values = await drawAll(job, (name, data) => session.write(name, data), { nonzero: true });
    const batch = randomBatch(2, 8, 19);
    const seeds = (k: number): Int32Array => Int32Array.from({ length: 64 * 3 }, (_, i) => i * 7919 + k);
    await session.write("seeds", seeds(1));
    const one = await lossOf(session, "train.0.step", batch);
    await session.write("seeds", seeds(2));
    assert.not.equal(await lossOf(session, "train.0.step", batch), one);
    await session.write("seeds", seeds(1));
    assert.is(await lossOf(session, "train.0.step", batch), one);
    const name = "some:layers.1.attn.q.b";
    const gradient = (await session.read(`gradient(${name})`)) as Float32Array;
    const value = values.get(name)!;
    const at = async (delta: number): Promise<number> => {
      const moved = Float32Array.from(value);
      moved[3]! += delta;
      await session.write(name, moved);
      return lossOf(session, "train.0.step", batch);
    };
    near(gradient[3]!, ((await at(1e-3)) - (await at(-1e-3))) / 2e-3, 2e-3, name, 2e-4);
  });

  for (const [title, adapter, config] of cases)
    test(`${title}: ten steps on the cpu device equal the interpreter's`, async () => {
      const built = await build(pipeline(adapter), config);
      const { job } = built;
      const sessions = [await openReference(built), await openCpu(built)];
      const train = job.train[0]!;
      const losses: number[][] = [];
      for (const session of sessions) {
        await drawAll(job, (name, data) => session.write(name, Float32Array.from(data)), { nonzero: true });
        const curve: number[] = [];
        for (let step = 0; step < 10; step++) {
          const batch = randomBatch(2, 8, job.base.vocab_size, step + 1);
          curve.push(await lossOf(session, train.step, batch));
          await session.write(
            "some.scalars",
            Float32Array.from(train.scalars, (expr) => evaluateScalar(expr, { step, total: 10 })),
          );
          await session.run(train.norm, {});
          await session.run(train.update, {});
        }
        losses.push(curve);
      }
      for (const [i, expected] of losses[0]!.entries()) near(losses[1]![i]!, expected, 2e-4, `loss of step ${i}`);
      assert.ok(losses[0]!.at(-1)! !== losses[0]![0]!, "something was learnt");
      const frozen = job.parameters.filter((parameter) => !parameter.trained && job.values[parameter.name]);
      const drawn = await drawAll(job, () => {}, { nonzero: true });
      for (const { name } of frozen) assert.equal(await sessions[1]!.read(name), drawn.get(name), `${name} is bit-identical`);
      await sessions[1]!.close();
    });
});
