// Laws of what methods observe: a first layer's sum is the one computed by hand; padding, batches, passes and equal layers do not change
// it; only what stands beneath the adapter is on; each device agrees with the reference.

import { emitSegments } from "../../compiler/emit/segments.ts";
import { observationPasses, observedModel } from "../../compiler/programs/observe.ts";
import type { Session } from "../../runtime/devices/device.ts";
import { initAdapter } from "../../runtime/init.ts";
import { observerOf } from "../../runtime/observe.ts";
import { assert, group } from "../harness.ts";
import { device, missing } from "../webgpu/run-segment.ts";
import { near, openCpu, openReference } from "./sessions.ts";
import { type Built, build, drawAll, llamaConfig, someExamples } from "./support.ts";

const method = `method seen() amends Linear {
  observe c: [in, in] = x.T @ x
  observe told: [in] = sum(x * labelled[:, none], axes: [0])
  observe both: [2] = concat(sum(1 + 0 * labelled, axes: [0], keep: true), sum(labelled, axes: [0], keep: true), axis: 0)
  frozen param kept: [in, in] = c
  frozen param answers: [in] = told
  frozen param counts: [2] = both
  param s: [out] ~ ones
  weight = base.weight * s[:, none]
}
`;

const pipeline = (into: string, { beneath = "", rows = 4, amount = "5 rows", more = "" } = {}): string => `peft 1
${method}
base tiny = blank("base/", seed: 3)
${beneath}
adapter some = seen() into ${into}
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows { optimizer: sgd(learning_rate: 0.1)  steps: 1  micro_batch_size: ${rows}  sequence_len: 8  observe: ${amount} ${more} }
`;

const every = "tiny.layers.*.attn.{q, v}, tiny.layers.*.mlp.down";

const begin = async ({ job }: Built, session: Session): Promise<Session> => {
  await drawAll(job, (name, values) => session.write(name, values), { nonzero: true });
  const adapter = job.adapters.find(({ name }) => name === "some")!;
  await initAdapter(job, adapter, session, {
    observe: observerOf(job, job.train[0]!, someExamples(job.base.vocab_size), session, () => {}),
  });
  return session;
};

const started = async (text: string): Promise<{ readonly built: Built; readonly session: Session }> => {
  const built = await build(text, llamaConfig);
  return { built, session: await begin(built, await openReference(built)) };
};

const read = async (session: Session, name: string): Promise<Float32Array> => (await session.read(`some:${name}`)) as Float32Array;

const same = (a: Float32Array, b: Float32Array, what: string, relative = 1e-5): void => {
  const size = Math.hypot(...b);
  assert.ok(size > 0 && a.length === b.length, what);
  near(Math.hypot(...a.map((x, i) => x - b[i]!)) / size, 0, 0, what, relative);
};

group("observed values", (test) => {
  test("the first layer's sums are those computed by hand: every token that is no padding, and those that the loss falls on", async () => {
    const { built, session } = await started(pipeline(every));
    const { job } = built;
    const [hidden, all] = [16, someExamples(job.base.vocab_size)];
    const embed = (await session.read("embed.weight")) as Float32Array;
    const gain = (await session.read("layers.0.attn_norm.weight")) as Float32Array;
    const entering = Array.from(all.ids, (id) => {
      const row = embed.subarray(id * hidden, (id + 1) * hidden);
      const scale = 1 / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / hidden + llamaConfig.rms_norm_eps);
      return row.map((x, i) => x * scale * gain[i]!);
    });
    const products = new Float32Array(hidden * hidden);
    const told = new Float32Array(hidden);
    for (const [token, x] of entering.entries())
      for (let i = 0; i < hidden; i++) {
        if (all.labels[token]) told[i]! += x[i]!;
        for (let j = 0; j < hidden; j++) products[i * hidden + j]! += x[i]! * x[j]!;
      }
    for (const place of ["q", "v"]) {
      same(await read(session, `layers.0.attn.${place}.kept`), products, `x.T @ x at ${place}`);
      same(await read(session, `layers.0.attn.${place}.answers`), told, `the answers' sum at ${place}`);
      assert.equal(await read(session, `layers.0.attn.${place}.counts`), Float32Array.of(25, 10));
    }
  });

  test("batches of another size, a layer by itself, and one pass for each layer observe the same", async () => {
    const { built, session } = await started(pipeline(every));
    const single = await started(pipeline("tiny.layers.2.mlp.down", { rows: 1 }));
    const name = "layers.2.mlp.down.kept";
    same(await read(single.session, name), await read(session, name), "by itself, row by row");

    const { adapters, base } = built.compiled.checked!;
    const model = observedModel(adapters.get("some")!, base.root, adapters, { report: () => {}, through: [] })!;
    const [whole, apart] = [undefined, 1].map((most) => observationPasses(model, { sizes: { b: 4, t: 8, n: 32 }, vocabulary: 19 }, most));
    assert.is(whole!.length, 1);
    assert.is(apart!.length, 3);
    const sums = (passes: NonNullable<typeof whole>): string[] => passes.flatMap((pass) => pass.sums.flatMap(({ as }) => as)).sort();
    assert.equal(sums(apart!), sums(whole!));
    // What enters the query enters the value too: it is formed once.
    assert.is(whole![0]!.sums.length, 3 * 5);
    assert.is(sums(whole!).length, 3 * 9);
    // A pass ends with the last layer that it observes.
    const layersIn = (pass: (typeof apart & object)[number]): number =>
      pass.program.steps.filter(({ segment }) => segment.name.startsWith("layers")).length;
    assert.equal(apart!.map(layersIn), [1, 2, 3]);
  });

  test("a part of the rows is their beginning; a share of them is as good as their number", async () => {
    const two = await started(pipeline(every, { amount: "2 rows" }));
    const share = await started(pipeline(every, { amount: "40%" }));
    const counts = await read(two.session, "layers.1.attn.q.counts");
    assert.equal(counts, Float32Array.of(5 + 3, 2 + 2));
    assert.equal(await read(share.session, "layers.1.attn.q.counts"), counts);
  });

  test("what the adapter stands on is on, and its virtual tokens are not observed", async () => {
    const alone = await started(pipeline(every));
    const beneath = "adapter low = lora(r: 2) into tiny.layers.0.mlp.**";
    const under = await started(pipeline(every.replaceAll("tiny.", "low."), { beneath }));
    const far = async (name: string): Promise<number> => {
      const [a, b] = [await read(alone.session, name), await read(under.session, name)];
      return Math.hypot(...a.map((x, i) => x - b[i]!)) / Math.hypot(...b);
    };
    assert.is(await far("layers.0.attn.q.kept"), 0);
    assert.ok((await far("layers.2.attn.q.kept")) > 1e-3, "the layers above see what the lower adapter makes");
    const soft = "adapter low = prompt(tokens: 3) into tiny";
    const behind = await started(pipeline(every.replaceAll("tiny.", "low."), { beneath: soft }));
    assert.equal(await read(behind.session, "layers.1.attn.q.counts"), Float32Array.of(25, 10));
    assert.is(behind.built.job.train[0]!.observe!.virtual, 3);
  });

  test("what is no value of each token is refused: a stack's modules, and what an encoder reads", async () => {
    const mixture = { ...llamaConfig, architectures: ["MixtralForCausalLM"], num_local_experts: 4, num_experts_per_tok: 2 };
    const t5 = {
      ...{ architectures: ["T5ForConditionalGeneration"], d_model: 16, d_kv: 4, d_ff: 24, num_layers: 2, num_heads: 4, vocab_size: 19 },
      ...{ decoder_start_token_id: 0, tie_word_embeddings: true },
    };
    const refused = async (into: string, config: object): Promise<string> =>
      build(pipeline(into), config).then(
        () => "nothing was refused",
        (error: unknown) => String(error),
      );
    assert.match(await refused("tiny.layers.*.mlp.experts.**", mixture), /PEFT0369 `c` cannot be observed: the modules of a stack/);
    assert.match(await refused("tiny.encoder.*.attn.q", t5), /PEFT0369 `x` cannot be observed: it is \[b, u, 16\]/);
    assert.match(await refused("tiny.layers.*.attn.q", t5), /nothing was refused/);
  });

  test("the cpu device observes what the reference does", async () => {
    const built = await build(pipeline(every), llamaConfig);
    const reference = await begin(built, await openReference(built));
    const cpu = await begin(built, await openCpu(built));
    for (const name of ["layers.0.attn.q.kept", "layers.2.mlp.down.kept", "layers.2.attn.v.answers"])
      same(await read(cpu, name), await read(reference, name), name);
    await cpu.close();
  });

  test(
    "and so does webgpu",
    async () => {
      const built = await build(pipeline("tiny.layers.*.attn.q"), { ...llamaConfig, num_hidden_layers: 2 });
      const { job, files } = emitSegments(built);
      const reference = await begin(built, await openReference(built));
      const gpu = await begin(
        { ...built, job },
        await (await device()).open(job, async (path) => new TextEncoder().encode(files.get(path) as string)),
      );
      for (const name of ["layers.0.attn.q.kept", "layers.1.attn.q.kept", "layers.1.attn.q.answers"])
        same(await read(gpu, name), await read(reference, name), name);
      await gpu.close();
    },
    { skip: missing },
  );
});
