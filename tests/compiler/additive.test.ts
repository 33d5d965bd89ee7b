// Laws of the methods that rebind what is computed, on whole models: gradients against finite differences, both devices against
// the interpreter, generation against one whole pass, identity at the start where it is declared, and only what is declared moves.
// Every case runs on two architectures, since a method sees an interface and nothing of the model behind it.

import { std } from "../../cli/embedded/std.ts";
import { parse } from "../../grammar/parse.ts";
import type { Session } from "../../runtime/devices/device.ts";
import { finishAdapter } from "../../runtime/init.ts";
import type { Job } from "../../spec/job.ts";
import { evaluateScalar } from "../../spec/scalar.ts";
import { assert, group } from "../harness.ts";
import { changesParameters } from "../method-samples.ts";
import { lossOf, near, openCpu, openReference } from "./sessions.ts";
import { behind, build, drawAll, gptConfig, llamaConfig, randomBatch } from "./support.ts";

const pipeline = (adapter: string, text = "  generate: greedy(max_new_tokens: 8)"): string => `peft 1
base tiny = blank("base/", seed: 3)
adapter some ${adapter.startsWith("{") ? adapter : `= ${adapter}`}
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows { optimizer: sgd(learning_rate: 0.1)  steps: 4  micro_batch_size: 2  sequence_len: 8 }
evaluate some, tiny on rows.train { metrics: [loss]${text}  micro_batch_size: 2  sequence_len: 8 }
`;

interface Case {
  readonly adapter: string;
  /** What it computes at the start is what the base computes. */
  readonly identity?: boolean;
  /** It computes over the tokens of a row, so it cannot write text. */
  readonly whole?: boolean;
  /** Only on models with such children. */
  readonly only?: object;
}

export const cases: readonly Case[] = [
  { adapter: "prompt(tokens: 3) into tiny" },
  { adapter: "p_tuning(tokens: 3, inner: 5) into tiny" },
  { adapter: "prefix(tokens: 3) into tiny" },
  { adapter: "prefix_projected(tokens: 3, inner: 5) into tiny" },
  { adapter: "{ prompt(tokens: 2) into tiny  prefix(tokens: 3) into tiny }" },
  { adapter: "bottleneck(reduction: 4, act: gelu) into tiny.layers.*" },
  { adapter: "double_bottleneck(reduction: 4) into tiny.layers.1..1" },
  { adapter: "parallel_bottleneck(reduction: 2, act: tanh) into tiny.layers.*", identity: true },
  { adapter: "compacter(reduction: 2, n: 2) into tiny.layers.*" },
  { adapter: "mam(tokens: 3, inner: 5, reduction: 4, act: tanh) into tiny" },
  { adapter: "gated_lora(r: 2) into tiny.layers.*.attn.{q, v}", identity: true, whole: true },
  { adapter: "gated_bottleneck(reduction: 4, act: gelu) into tiny.layers.*", whole: true },
  { adapter: "gated_prefix(tokens: 3, inner: 5) into tiny", whole: true },
  { adapter: "gated_prompt(tokens: 3) into tiny.layers.1..1.attn", identity: true },
];

/** A loss as it is evaluated: what is kept of a training is made of what is trained first. */
const evaluated = async (session: Session, job: Job, batch: Parameters<typeof lossOf>[2]): Promise<number> => {
  await finishAdapter(job, job.adapters[0]!, session);
  return lossOf(session, "evaluate.0", batch);
};

group("additive methods", (test) => {
  test("every method that rebinds what is computed has a case", () => {
    const methods = [...std.values()].flatMap((text) => parse(text, "std").file.items.filter((item) => item.kind === "method"));
    const names = methods.flatMap((item) => (item.amends && !changesParameters(item) ? [item.name.text] : []));
    const covered = new Set(cases.flatMap(({ adapter }) => [...adapter.matchAll(/\w+(?=\()/g)].map(([name]) => name)));
    assert.equal(
      names.filter((name) => !covered.has(name)),
      [],
    );
  });

  for (const { adapter, identity, whole, only } of cases)
    for (const config of [llamaConfig, gptConfig].filter((one) => only === undefined || one === only)) {
      const title = `${adapter} on ${config === gptConfig ? "gpt2" : "llama"}`;
      const ready = async () => {
        const built = await build(pipeline(adapter, whole ? "" : undefined), config);
        const { job } = built;
        const plain = behind(randomBatch(2, 8, job.base.vocab_size), job.train[0]!.virtual ?? 0);
        const batch = whole ? { ...plain, ends: new Int32Array(plain.b * plain.t).fill(plain.t - 1) } : plain;
        return { built, job, batch };
      };

      test(`${title}: gradients equal finite differences, and so does every device`, async () => {
        const { built, job, batch } = await ready();
        const session = await openReference(built);
        const values = await drawAll(job, (name, data) => session.write(name, data), { nonzero: true });
        const loss = await lossOf(session, "train.0.step", batch);
        near(loss, await evaluated(session, job, batch), 1e-6, "training and evaluation compute one loss");
        await lossOf(session, "train.0.step", batch);
        const trained = job.parameters.filter((parameter) => parameter.trained);
        assert.ok(trained.length > 0);
        const cpu = await openCpu(built);
        for (const [name, data] of values) if (job.values[name]) await cpu.write(name, data);
        near(await lossOf(cpu, "train.0.step", batch), loss, 1e-5, "the cpu device");
        for (const { name } of trained) {
          const gradient = (await session.read(`gradient(${name})`)) as Float32Array;
          const onCpu = (await cpu.read(`gradient(${name})`)) as Float32Array;
          const size = Math.sqrt(gradient.reduce((sum, x) => sum + x * x, 0));
          const off = Math.sqrt(gradient.reduce((sum, x, i) => sum + (x - onCpu[i]!) ** 2, 0));
          assert.ok(size > 0, `${name} has no gradient`);
          assert.ok(off <= 1e-4 * size, `${name}: the cpu device is off by ${off / size}`);
          const value = values.get(name)!;
          for (const i of [0, Math.floor(value.length / 2), value.length - 1]) {
            const at = async (delta: number): Promise<number> => {
              const moved = Float32Array.from(value);
              moved[i] = value[i]! + delta;
              await session.write(name, moved);
              return evaluated(session, job, batch);
            };
            const [up, down] = [await at(1e-3), await at(-1e-3)];
            await session.write(name, value);
            const moved = Math.fround(value[i]! + 1e-3) - Math.fround(value[i]! - 1e-3);
            near(gradient[i]!, (up - down) / moved, 2e-3, `${name}[${i}]`, 2e-4);
          }
        }
        await cpu.close();
      });

      if (whole)
        test(`${title}: a row is the same whatever pads it`, async () => {
          const { built, job, batch } = await ready();
          const session = await openReference(built);
          await drawAll(job, (name, data) => session.write(name, data), { nonzero: true });
          // The second row is cut to five tokens; then each is by itself, as long as it is.
          const lengths = [batch.t, 5];
          const rowOf = (i: number, t: number) => {
            const places = [...batch.rows.keys()].filter(
              (k) => Math.floor(batch.rows[k]! / batch.t) === i && (batch.rows[k]! % batch.t) + 1 < lengths[i]!,
            );
            return {
              ids: batch.ids.map((id, k) => (k % batch.t < lengths[i]! ? id : 0)).subarray(i * batch.t, i * batch.t + t),
              ends: new Int32Array(t).fill(lengths[i]! - 1),
              rows: places.map((k) => batch.rows[k]! % batch.t),
              targets: places.map((k) => batch.targets[k]!),
            };
          };
          const lossAt = async (t: number, which: readonly number[]): Promise<number> => {
            const rows = which.map((i) => rowOf(i, t));
            const n = rows.reduce((sum, row) => sum + row.rows.length, 0);
            const loss = await lossOf(session, "train.0.step", {
              b: rows.length,
              t,
              n,
              ids: Int32Array.from(rows.flatMap(({ ids }) => [...ids])),
              positions: Int32Array.from({ length: rows.length * t }, (_, k) => k % t),
              ends: Int32Array.from(rows.flatMap(({ ends }) => [...ends])),
              rows: Int32Array.from(rows.flatMap((row, k) => row.rows.map((place) => k * t + place))),
              targets: Int32Array.from(rows.flatMap(({ targets }) => targets)),
            });
            return loss * n;
          };
          const apart = (await lossAt(batch.t, [0])) + (await lossAt(lengths[1]!, [1]));
          near(await lossAt(batch.t, [0, 1]), apart, 1e-6, "the loss of both");
        });

      if (!whole)
        test(`${title}: generation token by token equals one whole pass`, async () => {
          const { built, job } = await ready();
          const session = await openReference(built);
          await drawAll(job, (name, data) => session.write(name, data), { nonzero: true });
          const virtual = job.evaluate[0]!.virtual ?? 0;
          const s = job.programs["generate.0"]!.dims.s!;
          const batch = behind(randomBatch(2, 7, job.base.vocab_size, 5), virtual);
          const logits = async (from: number, to: number): Promise<Float32Array> => {
            const rows = [0, 1].map((row) => Array.from({ length: to - from }, (_, i) => row * batch.t + from + i));
            await session.write(
              "ids",
              Int32Array.from(rows.flat(), (i) => batch.ids[i]!),
            );
            await session.write(
              "positions",
              Int32Array.from(rows.flat(), (i) => batch.positions[i]!),
            );
            await session.write("rows", Int32Array.of(to - from - 1, 2 * (to - from) - 1));
            await session.run("generate.0", { b: 2, t: to - from, n: 2, s });
            return ((await session.read("logits", "generate.0")) as Float32Array).slice();
          };
          const whole = await logits(0, batch.t);
          await logits(0, virtual + 4);
          await logits(virtual + 4, virtual + 5);
          await logits(virtual + 5, virtual + 6);
          const stepped = await logits(virtual + 6, virtual + 7);
          for (const [i, value] of whole.entries()) near(stepped[i]!, value, 1e-5, `logit ${i}`, 1e-5);
        });

      test(`${title}: ${identity ? "starts as the base, and " : ""}only what is declared moves`, async () => {
        const { built, job, batch } = await ready();
        const session = await openReference(built);
        await drawAll(job, (name, data) => session.write(name, data));
        if (identity) near(await lossOf(session, "evaluate.0", batch), await lossOf(session, "evaluate.1", batch), 1e-6, "the start");
        const own = job.parameters.filter(({ name }) => job.values[name] && !job.parameters.find((p) => p.name === name)!.trained);
        const before = await Promise.all(own.map(async ({ name }) => (await session.read(name)) as Float32Array));
        const plan = job.train[0]!;
        const first = await lossOf(session, plan.step, batch);
        for (let step = 0; step < 4; step++) {
          await lossOf(session, plan.step, batch);
          const scalars = plan.scalars.map((expr) => evaluateScalar(expr, { step, total: 4 }));
          if (scalars.length) await session.write("some.scalars", Float32Array.from(scalars));
          await session.run(plan.norm, {});
          await session.run(plan.update, {});
        }
        assert.ok((await lossOf(session, plan.step, batch)) < first, "training lowers the loss");
        for (const [i, { name }] of own.entries()) assert.equal((await session.read(name)) as Float32Array, before[i], name);
      });
    }

  test("mam is learned keys and values and a bottleneck beside each feed-forward: the same loss as both in a block", async () => {
    const losses: number[] = [];
    // A prefix that comes out of a network, as `prefix_projected`, with positions that begin at the text.
    const unmoved = std.get("methods/prefix_projected.peft")!.replace("peft 1", "").replace("  positions = base.positions + tokens\n", "");
    for (const adapter of [
      "mam(tokens: 3, inner: 5, reduction: 4) into tiny",
      "{ prefix_unmoved(tokens: 3, inner: 5) into tiny  parallel_bottleneck(reduction: 4) into tiny.layers.* }",
    ]) {
      const built = await build(
        pipeline(adapter).replace("peft 1\n", `peft 1\n${unmoved.replace("method prefix_projected", "method prefix_unmoved")}`),
        llamaConfig,
      );
      const session = await openReference(built);
      await drawAll(built.job, (name, data) => session.write(name, data), { nonzero: true });
      await finishAdapter(built.job, built.job.adapters[0]!, session);
      const batch = behind(randomBatch(2, 8, built.job.base.vocab_size), built.job.train[0]!.virtual ?? 0);
      losses.push(await lossOf(session, "evaluate.0", batch));
    }
    assert.is(losses[0], losses[1]);
  });

  test("a gate over a whole row trains alike on every device, and is refused where one token comes after another", async () => {
    const gated = `method gated(r: int = 3) amends Block {
  param down: [r, hidden] ~ normal(0.2)
  param up: [hidden, r] ~ normal(0.2)
  param g: [1, hidden] ~ normal(0.2)
  let gate = mean(sigmoid(base.mlp_delta @ g.T), axes: [-2], keep: true)
  mlp_delta = base.mlp_delta + gate * (base.mlp_delta @ down.T @ up.T)
}
`;
    const text = (more: string): string =>
      pipeline("gated() into tiny.layers.*").replace("peft 1\n", `peft 1\n${gated}`).replace("steps: 4", `steps: 4${more}`);
    const scored = text("").replace("  generate: greedy(max_new_tokens: 8)", "");
    const built = await build(scored, llamaConfig);
    const [session, cpu] = [await openReference(built), await openCpu(built)];
    const values = await drawAll(built.job, (name, data) => session.write(name, data), { nonzero: true });
    for (const [name, data] of values) if (built.job.values[name]) await cpu.write(name, data);
    const batch = { ...randomBatch(2, 8, built.job.base.vocab_size), ends: new Int32Array(16).fill(7) };
    near(await lossOf(cpu, "train.0.step", batch), await lossOf(session, "train.0.step", batch), 1e-5, "the cpu device");
    for (const { name } of built.job.parameters.filter(({ trained }) => trained)) {
      const [ours, there] = await Promise.all([session.read(`gradient(${name})`), cpu.read(`gradient(${name})`)]);
      near(Math.hypot(...(there as Float32Array)), Math.hypot(...(ours as Float32Array)), 1e-4, name);
    }
    await cpu.close();
    const refused = (pipeline: string, code: RegExp): Promise<void> =>
      build(pipeline, llamaConfig).then(
        () => assert.unreachable("it was built"),
        (error: Error) => assert.match(error.message, code),
      );
    await refused(text(""), /PEFT0432.*computes `mean` over the tokens/);
    await refused(text("  packing: true").replace("  generate: greedy(max_new_tokens: 8)", ""), /PEFT0361/);
  });

  test("sequence_len counts real tokens, and virtual ones come on top", async () => {
    const { job } = await build(pipeline("prompt(tokens: 3) into tiny"), llamaConfig);
    assert.is(job.train[0]!.sequence_len, 8);
    assert.is(job.train[0]!.virtual, 3);
    assert.is(job.programs["train.0.step"]!.dims.t, 16);
  });

  test("what rebinds computed values cannot be merged, and says why", async () => {
    for (const { adapter } of cases) {
      const [method] = /\w+/.exec(adapter)!;
      await build(`${pipeline(adapter, "")}merge some into "merged/"`, llamaConfig).then(
        () => assert.unreachable(adapter),
        (error: Error) => assert.match(error.message, new RegExp(`PEFT0323.*${method} rebinds`)),
      );
    }
  });

  test("virtual tokens must leave room in the base's context", async () => {
    for (const adapter of ["prompt(tokens: 26) into tiny", "prefix(tokens: 26) into tiny"])
      await build(pipeline(adapter), llamaConfig).then(
        () => assert.unreachable(adapter),
        (error: Error) => assert.match(error.message, /PEFT0327.*26 of them are virtual/),
      );
    await build(pipeline("prompt(tokens: 31) into tiny"), llamaConfig).then(
      () => assert.unreachable(),
      (error: Error) => assert.match(error.message, /PEFT0477/),
    );
  });
});
