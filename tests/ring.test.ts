// A base larger than the memory it may have: under a budget below its size a training reads layers from the checkpoint as it reaches them, and
// its result has the bits of the one that had all the memory. Cut, sharded, turned and 16-bit checkpoints; evaluation and merging too.

import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ringOf } from "../compiler/programs/ring.ts";
import { openRing } from "../runtime/devices/ring.ts";
import type { Job } from "../spec/job.ts";
import { peftIn } from "./checker/peft-in.ts";
import { assert, group } from "./harness.ts";
import { readCase } from "./mistakes/case.ts";
import { config, makeWorld } from "./mistakes/world.ts";
import { codesOf, fillWeights, intoShards } from "./ring-checkpoints.ts";

const gpt2 = {
  ...Object.fromEntries(Object.keys(config).map((key) => [key, null])),
  architectures: ["GPT2LMHeadModel"],
  n_embd: 64,
  n_layer: 10,
  n_head: 4,
  n_positions: 64,
  vocab_size: 512,
};
const llama = { hidden_size: 64, intermediate_size: 128, num_hidden_layers: 10 };

const pipeline = (budget: string, shape: object): string => `// row: OWN
// what: a base that does not fit
// expect: clean
// config: ${JSON.stringify(shape)}

peft 1
base tiny = checkpoint("base/")
adapter menu = lora(r: 4, dropout: 0.1) into tiny.layers.**
data orders { train = jsonl("train.jsonl")  eval = jsonl("eval.jsonl")  prompt = "{slip}\\n"  answer = "{text}" }
train menu on orders { optimizer: adamw(learning_rate: 1e-2)  steps: 4  micro_batch_size: 1  sequence_len: 16 }
evaluate menu on orders { metrics: [loss]  micro_batch_size: 1  generate: greedy(max_new_tokens: 4) }
merge menu into "merged/"
${budget && `require { memory(train menu) <= ${budget} }`}
`;

interface Ran {
  readonly result: {
    readonly train: readonly { readonly losses: readonly number[] }[];
    readonly evaluate: readonly { readonly metrics: object; readonly samples: unknown }[];
  };
  readonly adapter: Buffer;
  readonly merged: Buffer;
  readonly plan: string;
}

/** A folder with a base of this shape and random weights, made as `remake` says, and runs of it under budgets. */
const inFolder = async (
  shape: object,
  dtype: "F32" | "BF16",
  body: (run: (budget: string) => Promise<Ran>, folder: string) => Promise<void>,
): Promise<void> => {
  const folder = await makeWorld(readCase("ring", pipeline("", shape)));
  fillWeights(join(folder, "base/model.safetensors"), dtype);
  const run = async (budget: string): Promise<Ran> => {
    writeFileSync(join(folder, "main.peft"), pipeline(budget, shape));
    const planned = await peftIn(folder, "plan main.peft");
    assert.is(planned.code, 0, planned.err);
    rmSync(join(folder, "out"), { recursive: true, force: true });
    const { code, err } = await peftIn(folder, "run main.peft -o out --device cpu");
    assert.is(code, 0, err);
    const read = (name: string): Buffer => readFileSync(join(folder, "out", name));
    return {
      result: JSON.parse(read("result.json").toString()) as Ran["result"],
      adapter: read("adapters/menu/adapter_model.safetensors"),
      merged: read("merged/model.safetensors"),
      plan: planned.out,
    };
  };
  try {
    await body(run, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const same = (found: Ran, wanted: Ran, what: string): void => {
  assert.equal(found.result.train[0]!.losses, wanted.result.train[0]!.losses, `${what}: losses`);
  assert.ok(found.adapter.equals(wanted.adapter), `${what}: the adapter's bytes`);
  assert.ok(found.merged.equals(wanted.merged), `${what}: the merged bytes`);
  const { metrics, samples } = wanted.result.evaluate[0]!;
  assert.equal(found.result.evaluate[0]!.metrics, metrics, `${what}: metrics`);
  assert.equal(found.result.evaluate[0]!.samples, samples, `${what}: answers`);
};

group("a base that does not fit", (test) => {
  for (const [what, shape, dtype] of [
    ["a llama in f32", llama, "F32"],
    ["a llama in bf16", llama, "BF16"],
    ["a gpt2, whose matrices lie turned", gpt2, "F32"],
  ] as const)
    test(`under a budget below its size, ${what} trains, evaluates and merges to the same bits`, () =>
      inFolder(shape, dtype, async (run, folder) => {
        const free = await run("");
        assert.not.match(free.plan, "read from the checkpoint as they are needed");
        const size = statSync(join(folder, "base/model.safetensors")).size * (dtype === "BF16" ? 2 : 1);
        const budget = Math.floor(size * 0.7);
        const tight = await run(String(budget));
        const [, layers] = /weights of (\d+) layers are read from the checkpoint/.exec(tight.plan)!;
        assert.ok(Number(layers) > 2 && Number(layers) <= 10, layers);
        same(tight, free, "streamed");
        // No more than needed: one byte more of a budget never reads more layers, and a larger one reads fewer.
        const wider = await run(String(Math.floor(size * 0.9)));
        assert.ok(Number(/weights of (\d+) layers/.exec(wider.plan)?.[1] ?? 0) < Number(layers));
        same(wider, free, "streamed in part");
      }));

  test("shards are read by position like one file", () =>
    inFolder(llama, "F32", async (run, folder) => {
      const free = await run("");
      const size = statSync(join(folder, "base/model.safetensors")).size;
      intoShards(join(folder, "base"), 3);
      const merged = async (budget: string): Promise<Ran["result"]> => {
        writeFileSync(join(folder, "main.peft"), pipeline(budget, llama).replace('merge menu into "merged/"\n', ""));
        const { code, err } = await peftIn(folder, "run main.peft -o out --device cpu");
        assert.is(code, 0, err);
        return JSON.parse(readFileSync(join(folder, "out/result.json"), "utf8")) as Ran["result"];
      };
      assert.equal((await merged(String(Math.floor(size * 0.7)))).train[0]!.losses, free.result.train[0]!.losses);
    }));

  test("webgpu is refused with the reason, and what still does not fit says the least that is possible", () =>
    inFolder(llama, "F32", async (_, folder) => {
      const size = statSync(join(folder, "base/model.safetensors")).size;
      writeFileSync(join(folder, "main.peft"), pipeline(String(Math.floor(size * 0.7)), llama));
      // No limit of the system holds a job on a GPU, and this base is read by layers on the cpu alone.
      assert.equal(codesOf(await peftIn(folder, "run main.peft -o out --device webgpu")), ["PEFT0663", "PEFT0598"]);
      writeFileSync(join(folder, "main.peft"), pipeline("1000", llama));
      assert.equal(codesOf(await peftIn(folder, "check main.peft")), ["PEFT0324"]);
    }));

  test("a shard that ends early while it is read is said, with its name", () =>
    inFolder(llama, "F32", async (_, folder) => {
      const size = statSync(join(folder, "base/model.safetensors")).size;
      writeFileSync(join(folder, "main.peft"), pipeline(String(Math.floor(size * 0.7)), llama));
      mkdirSync(join(folder, "whole"));
      copyFileSync(join(folder, "base/model.safetensors"), join(folder, "whole/model.safetensors"));
      writeFileSync(join(folder, "base/model.safetensors"), readFileSync(join(folder, "whole/model.safetensors")).subarray(0, size - 4000));
      assert.ok(codesOf(await peftIn(folder, "run main.peft -o out --device cpu")).length > 0);
    }));
});

group("ring", (test) => {
  test("what several layers read stays in memory; layers take turns in two buffers", () => {
    const weights = new Map(
      ["embed.weight", "layers.0.a", "layers.0.table", "layers.1.a", "layers.2.a", "layers.3.a", "norm"].map((name) => [name, 1000]),
    );
    const calls = [
      ["embed.weight"],
      ["layers.0.a", "layers.0.table"],
      ["layers.1.a", "layers.0.table"],
      ["layers.2.a"],
      ["layers.3.a"],
      ["norm"],
    ];
    const ring = ringOf(weights, calls, 4)!;
    assert.equal(
      ring.layers.map(({ slot, values }) => [slot, ...values]),
      [
        [0, "layers.0.a"],
        [1, "layers.1.a"],
        [0, "layers.2.a"],
        [1, "layers.3.a"],
      ],
    );
    assert.is(ring.bytes, 2 * 1024);
    assert.is(ringOf(weights, calls, 2), undefined, "two layers in two buffers save nothing");
  });

  test("a layer is read once while it is there, one read at a time, and again after one that failed", async () => {
    const job = { ring: [0, 1, 2].map((i) => ({ slot: i % 2, values: [`${i}.a`, `${i}.b`] })) } as unknown as Job;
    const read: string[] = [];
    let fails = true;
    let reading = 0;
    const ring = openRing(job, async (value) => {
      assert.is(++reading, 1);
      await Promise.resolve();
      reading--;
      if (value === "2.a" && fails) throw new Error("planted");
      read.push(value);
    });
    await ring.need(0);
    ring.ahead(1, 0);
    await ring.need(0);
    await ring.need(1);
    assert.equal(read, ["0.a", "0.b", "1.a", "1.b"]);
    ring.ahead(2, 0);
    await ring.need(0);
    assert.is(read.length, 4, "a buffer that is in use is left alone");
    const failed = await ring.need(2).then(
      () => false,
      () => true,
    );
    assert.ok(failed);
    fails = false;
    await ring.need(2);
    await ring.need(0);
    assert.equal(read.slice(4), ["2.a", "2.b", "0.a", "0.b"]);
  });
});
