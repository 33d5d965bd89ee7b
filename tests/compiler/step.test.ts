// Laws of what methods bind of a training's step: what is added to the loss has the gradient that finite differences of the whole loss
// say, once a step whatever the micro-batches; a bound gradient is the one computed by hand; devices agree; and nothing else moves.

import { emitSegments } from "../../compiler/emit/segments.ts";
import type { Session } from "../../runtime/devices/device.ts";
import { assert, group } from "../harness.ts";
import { device, missing } from "../webgpu/run-segment.ts";
import { lossOf, near, openCpu, openReference, slopesAt, stepOn, tellStep } from "./sessions.ts";
import { type Built, build, drawAll, llamaConfig, randomBatch } from "./support.ts";

const config = { ...llamaConfig, num_hidden_layers: 2 };

const mixture = { ...config, architectures: ["MixtralForCausalLM"], num_local_experts: 3, num_experts_per_tok: 2 };

const method = (rules: string): string => `method low(r: int = 2, share: float = 0.3) amends Linear {
  shared param c: [r] ~ ones
  frozen param a: [r, in] ~ normal(0.3)
  param b: [out, r] ~ normal(0.3)
  weight = base.weight + (b * c[none, :]) @ a
  let gram = b.T @ b - eye(r)
  ${rules}
}
`;

const pipeline = (rules: string, more = "", into = "tiny.layers.*.attn.{q, v}"): string => `peft 1
${method(rules)}
base tiny = blank("base/", seed: 3)
adapter some = low() into ${into}
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows { optimizer: sgd(learning_rate: 0.1, momentum: 0)  steps: 10  micro_batch_size: 2  sequence_len: 8 ${more} }
evaluate some on rows.train { metrics: [loss]  micro_batch_size: 2  sequence_len: 8 }
`;

const adding =
  "loss += share / targets * sum(gram * gram, axes: [0, 1]) * (1 - step / total)  loss += 0.002 * sum(c * c, axes: [0]) * sum(base.weight * base.weight, axes: [0, 1])";
const halving = "b.grad = 0.5 * b.grad + 0.1 * b @ (a @ a.T)";

const begin = async ({ job }: Built, session: Session): Promise<Map<string, Float32Array>> =>
  drawAll(job, (name, data) => session.write(name, data), { nonzero: true });

const gradientsOf = async ({ job }: Built, session: Session, of = "gradient"): Promise<Map<string, Float32Array>> => {
  const gradients = new Map<string, Float32Array>();
  for (const { name, trained } of job.parameters) if (trained) gradients.set(name, (await session.read(`${of}(${name})`)) as Float32Array);
  return gradients;
};

/** `b @ (a @ a.T)` by hand; a [r, in], b [out, r]. */
const projected = (b: Float32Array, a: Float32Array, r: number): Float32Array => {
  const width = a.length / r;
  const square = (i: number, j: number): number => {
    let sum = 0;
    for (let k = 0; k < width; k++) sum += a[i * width + k]! * a[j * width + k]!;
    return sum;
  };
  return b.map((_, place) => {
    const [row, column] = [Math.floor(place / r), place % r];
    let sum = 0;
    for (let k = 0; k < r; k++) sum += b[row * r + k]! * square(k, column);
    return sum;
  });
};

group("step of a training", (test) => {
  const places: readonly (readonly [string, object, string, number])[] = [
    ["layers", config, "tiny.layers.*.attn.{q, v}", 5],
    ["a stack's modules", mixture, "tiny.layers.*.mlp.experts.{gate, down}", 5],
  ];
  for (const [where, model, into, count] of places)
    test(`what is added to the loss in ${where} moves parameters as the whole loss's finite differences say`, async () => {
      const built = await build(pipeline(adding, "", into), model);
      const session = await openReference(built);
      const values = await begin(built, session);
      const [train] = built.job.train as [(typeof built.job.train)[number]];
      const batch = randomBatch(2, 8, built.job.base.vocab_size);
      await slopesAt(session, train, batch, 4);
      const gradients = await gradientsOf(built, session);
      const whole = async (): Promise<number> => slopesAt(session, train, batch, 4);
      const plain = await lossOf(session, "evaluate.0", batch);
      assert.ok((await whole()) > plain + 0.01, "nothing is added");
      assert.is(gradients.size, count);
      for (const [name, slopes] of gradients) {
        const value = values.get(name)!;
        for (const i of [0, value.length - 1]) {
          const at = async (delta: number): Promise<number> => {
            const moved = Float32Array.from(value);
            moved[i] = value[i]! + delta;
            await session.write(name, moved);
            return whole();
          };
          const h = 1e-3;
          const slope = ((await at(h)) - (await at(-h))) / (Math.fround(value[i]! + h) - Math.fround(value[i]! - h));
          await session.write(name, value);
          near(slopes[i]!, slope, 2e-3, `${name}[${i}]`, 2e-4);
        }
      }
      await session.close();
    });

  test("what is added depends on the step, and is added to no evaluation", async () => {
    const built = await build(pipeline(adding), config);
    const session = await openReference(built);
    await begin(built, session);
    const [train] = built.job.train as [(typeof built.job.train)[number]];
    const batch = randomBatch(2, 8, built.job.base.vocab_size);
    const plain = await lossOf(session, train.step, batch);
    near(plain, await lossOf(session, "evaluate.0", batch), 1e-6, "the model's own loss");
    const [early, late] = [await slopesAt(session, train, batch, 0), await slopesAt(session, train, batch, 9)];
    assert.ok(early > late + 1e-3, `${early} and ${late}`);
    await session.close();
  });

  test("a bound gradient is the one computed by hand, of the sum that the addends are in", async () => {
    for (const rules of [halving, `${adding} ${halving}`]) {
      const built = await build(pipeline(rules), config);
      const session = await openReference(built);
      const values = await begin(built, session);
      const [train] = built.job.train as [(typeof built.job.train)[number]];
      const batch = randomBatch(2, 8, built.job.base.vocab_size);
      await slopesAt(session, train, batch);
      const bound = await gradientsOf(built, session);
      const other = await build(pipeline(rules.replace(halving, "")), config);
      const before = await openReference(other);
      await begin(other, before);
      await slopesAt(before, other.job.train[0]!, batch);
      const plain = await gradientsOf(other, before);
      for (const [name, slopes] of plain) {
        const by = name.endsWith(".b") ? projected(values.get(name)!, values.get(name.replace(/b$/, "a"))!, 2) : undefined;
        for (const [i, slope] of slopes.entries())
          near(bound.get(name)![i]!, by ? 0.5 * slope + 0.1 * by[i]! : slope, 1e-5, `${name}[${i}]`, 1e-7);
      }
      await session.close();
      await before.close();
    }
  });

  test("a stack's addend and bound gradient are those of its modules one by one", async () => {
    const into = "tiny.layers.*.mlp.experts.down";
    const rules = "loss += share / targets * sum(gram * gram, axes: [0, 1]) * (1 - step / total)  b.grad = 0.5 * b.grad";
    const built = await build(pipeline(rules, "", into), mixture);
    const session = await openReference(built);
    const values = await begin(built, session);
    const batch = randomBatch(2, 8, built.job.base.vocab_size);
    const whole = await slopesAt(session, built.job.train[0]!, batch, 4);
    const added = whole - (await lossOf(session, "evaluate.0", batch));
    let expected = 0;
    for (const [name, b] of values) {
      if (!name.endsWith("experts.down.b")) continue;
      // [3 experts, out, r]: each has a term of its own, and all of them are the line's targets.
      const out = b.length / (3 * 2);
      for (let expert = 0; expert < 3; expert++)
        for (let i = 0; i < 2; i++)
          for (let j = 0; j < 2; j++) {
            let dot = i === j ? -1 : 0;
            for (let k = 0; k < out; k++) dot += b[(expert * out + k) * 2 + i]! * b[(expert * out + k) * 2 + j]!;
            expected += ((0.3 / 6) * dot * dot * 6) / 10;
          }
    }
    near(added, expected, 1e-4, "what is added");
    await session.close();
  });

  test("with several micro-batches it is added and bound once", async () => {
    const [once, twice] = [
      await build(pipeline(`${adding} ${halving}`), config),
      await build(pipeline(`${adding} ${halving}`, "gradient_accumulation_steps: 2"), config),
    ];
    const batch = randomBatch(2, 8, once.job.base.vocab_size);
    const plain = await openReference(once);
    await begin(once, plain);
    await slopesAt(plain, once.job.train[0]!, batch, 3);
    const session = await openReference(twice);
    await begin(twice, session);
    const train = twice.job.train[0]!;
    // The same rows twice at half their weight are the rows once.
    for (const keep of [0, 1]) {
      const half = { ...batch };
      for (const name of ["ids", "positions", "rows", "targets"] as const) await session.write(name, half[name]);
      await session.write("scale", Float32Array.of(0.5 / batch.n));
      await session.run(train.step, { b: batch.b, t: batch.t, n: batch.n });
      await session.write("keep", Float32Array.of(keep));
      await session.run(train.accumulate!, {});
    }
    await tellStep(session, "some.before.scalars", train.before!.scalars, 3);
    await session.run(train.before!.program, {});
    const [expected, found] = [await gradientsOf(once, plain), await gradientsOf(twice, session, "accumulated")];
    for (const [name, slopes] of expected)
      for (const [i, slope] of slopes.entries()) near(found.get(name)![i]!, slope, 1e-5, `${name}[${i}]`, 1e-7);
    await plain.close();
    await session.close();
  });

  const together = async (built: Built, session: Session): Promise<void> => {
    const reference = await openReference(built);
    const start = await begin(built, session);
    await begin(built, reference);
    for (let step = 0; step < 5; step++) {
      const batch = randomBatch(2, 8, built.job.base.vocab_size, step + 2);
      const [ours, expected] = [await stepOn(session, built, batch, step), await stepOn(reference, built, batch, step)];
      near(ours, expected, 2e-5, `loss of step ${step}`);
    }
    for (const { name, trained } of built.job.parameters) {
      if (!built.job.values[name]) continue;
      const [ours, expected] = [(await session.read(name)) as Float32Array, (await reference.read(name)) as Float32Array];
      if (!trained) assert.equal(ours, start.get(name), `${name} has moved`);
      else {
        assert.not.equal(ours, start.get(name), `${name} has not moved`);
        for (const [i, x] of expected.entries()) near(ours[i]!, x, 1e-3, `${name}[${i}]`, 1e-5);
      }
    }
    for (const { value } of built.job.train[0]!.after?.state ?? []) {
      const [ours, expected] = [(await session.read(value)) as Float32Array, (await reference.read(value)) as Float32Array];
      for (const [i, x] of expected.entries()) near(ours[i]!, x, 1e-3, `${value}[${i}]`, 1e-6);
    }
    await session.close();
    await reference.close();
  };

  test("states and parameters become what is computed by hand, in the order of the lines, from the gradient as it was clipped", async () => {
    const rules = "state slow: [out, r] = 0.5  slow = 0.9 * slow + b * b.grad  b = b - 0.01 * slow * (1 + step)";
    const built = await build(pipeline(rules, "max_grad_norm: 0.01"), config);
    const session = await openReference(built);
    await begin(built, session);
    const train = built.job.train[0]!;
    const plain = await build(pipeline("", "max_grad_norm: 0.01"), config);
    const other = await openReference(plain);
    await begin(plain, other);
    const slow = new Map<string, number[]>();
    for (let step = 0; step < 3; step++) {
      const batch = randomBatch(2, 8, built.job.base.vocab_size, step + 2);
      await stepOn(session, built, batch, step);
      await stepOn(other, plain, batch, step);
      const norm = ((await other.read("norm", plain.job.train[0]!.norm)) as Float32Array)[0]!;
      const gradients = await gradientsOf(plain, other);
      for (const [name, slopes] of gradients) {
        const moved = (await other.read(name)) as Float32Array;
        if (name.endsWith(".b")) {
          const kept = slow.get(name) ?? Array.from(moved, () => 0.5);
          const shrink = Math.min(1, 0.01 / (norm + 1e-6));
          const now = kept.map((x, i) => 0.9 * x + moved[i]! * slopes[i]! * shrink);
          slow.set(name, now);
          for (const [i, x] of moved.entries()) moved[i] = x - 0.01 * now[i]! * (1 + step);
          const state = train.after!.state.find(({ value }) => value === `state(${name.replace(/b$/, "slow")})`)!;
          const held = (await session.read(state.value)) as Float32Array;
          for (const [i, x] of now.entries()) near(held[i]!, x, 1e-5, `${state.value}[${i}]`, 1e-7);
          await other.write(name, moved);
        }
        const found = (await session.read(name)) as Float32Array;
        for (const [i, x] of moved.entries()) near(found[i]!, x, 1e-5, `${name}[${i}]`, 1e-6);
      }
    }
    await session.close();
    await other.close();
  });

  test("everywhere is what all targets of a line give, in order, however many there are", async () => {
    const rules =
      "let mine = sum(b * b, axes: [0])  let all = everywhere(mine)  b = if sum(all[none, :] < mine[:, none], axes: [1]) < 3 then 0 * b else b";
    const wide = { ...config, num_hidden_layers: 5 };
    const built = await build(pipeline(rules).replace("attn.{q, v}", "attn.{q, k, v}"), wide);
    const session = await openReference(built);
    await begin(built, session);
    const batch = randomBatch(2, 8, built.job.base.vocab_size);
    await stepOn(session, built, batch, 0);
    const plain = await build(pipeline("").replace("attn.{q, v}", "attn.{q, k, v}"), wide);
    const other = await openReference(plain);
    await begin(plain, other);
    await stepOn(other, plain, batch, 0);
    const columns: { readonly of: string; readonly at: number; readonly score: number }[] = [];
    for (const { name, shape } of built.job.parameters)
      if (name.endsWith(".b")) {
        const moved = (await other.read(name)) as Float32Array;
        for (const at of [0, 1])
          columns.push({
            of: name,
            at,
            score: Array.from({ length: shape[0]! }, (_, row) => moved[2 * row + at]! ** 2).reduce((x, y) => x + y),
          });
      }
    assert.is(columns.length, 30, "more than one call joins");
    const gone = new Set(columns.sort((x, y) => x.score - y.score).slice(0, 3));
    for (const column of columns) {
      const found = ((await session.read(column.of)) as Float32Array).filter((_, i) => i % 2 === column.at);
      assert.is(
        found.every((x) => x === 0),
        gone.has(column),
        `column ${column.at} of ${column.of}`,
      );
    }
    await session.close();
    await other.close();
  });

  const budget = `${adding} state slow: [r] = 1  slow = 0.5 * slow + sum(abs(b * b.grad), axes: [0])
  let below = sum(everywhere(slow)[none, :] < slow[:, none], axes: [1])  b = if below < 2 then 0.5 * b else b`;

  test("on the cpu device as in the reference, and only what is trained moves", async () => {
    const built = await build(pipeline(`${budget} ${halving}`), config);
    await together(built, await openCpu(built));
  });

  test(
    "on webgpu as in the reference, and only what is trained moves",
    async () => {
      const built = await build(pipeline(`${budget} ${halving}`), config);
      const { job, files } = emitSegments(built);
      const session = await (await device()).open(job, async (path) => new TextEncoder().encode(files.get(path) as string));
      await together({ ...built, job }, session);
    },
    { skip: missing },
  );
});
