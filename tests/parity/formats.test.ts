// Formats against bitsandbytes' CPU backend: the same codes, the same values, checkpoints read and written both ways, twenty steps of
// training over packed bases, and optimizer state in 8 bits. One Python process answers all of it.

import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { random } from "../../examples/base/world.ts";
import { fillBatch, planEpoch } from "../../runtime/data/batches.ts";
import { cpuDevice } from "../../runtime/devices/cpu.ts";
import { decode, encode } from "../../runtime/formats/encode.ts";
import { trainAdapter } from "../../runtime/train.ts";
import type { Job } from "../../spec/job.ts";
import { openCpu, tellStep } from "../compiler/sessions.ts";
import { build, drawAll, llamaConfig } from "../compiler/support.ts";
import { formatNamed, normal } from "../formats/support.ts";
import { assert, group } from "../harness.ts";
import { apart, open } from "./opened.ts";
import { openPython, type PythonSession, pythonLacks, pythonMissing } from "./python.ts";
import { runFile } from "./run-file.ts";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));

const inFolder = async (body: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-formats-`);
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

let session: PythonSession | undefined;

/** Of what a script beside this file says; the process is there from the first question on, and ends when the run does. */
const python = (script: string, job: unknown): Promise<unknown> => {
  session ??= openPython("serve.py");
  return session.ask({ script, job });
};

const skip = pythonMissing ?? pythonLacks("bitsandbytes");

const config = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 384,
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
  bos_token_id: 1,
  eos_token_id: 2,
};

const row = ((): number[] => {
  const next = random(5);
  return [1, ...Array.from({ length: 23 }, () => 3 + Math.floor(next() * 380))];
})();

const packs = [
  { name: "plain", type: "nf4", double: false, block: 64 },
  { name: "double", type: "nf4", double: true, block: 64 },
  { name: "floats", type: "fp4", double: true, block: 64 },
  { name: "rows", type: "int8", double: false, block: 0 },
];

interface Choice {
  readonly store?: string;
  readonly merge?: string;
  readonly rank?: number;
  readonly into?: string;
  readonly state?: string;
}

const pipeline = (base: string, { store = "", merge = "", rank = 4, into = "**", state = "" }: Choice = {}): string => `peft 1
base model = checkpoint("${base}")${store && ` {\n  store ${store}\n}`}
adapter clerk = lora(r: ${rank}, alpha: 8) into model.layers.${into}
data orders {
  train = jsonl("orders.train.jsonl", rows: 80)
  eval = jsonl("orders.eval.jsonl", rows: 8)
  prompt = "{slip}\\n"
  answer = "{text}"
}
train clerk on orders {
  optimizer: adamw(learning_rate: 1e-2, weight_decay: 0.1) ${state}
  schedule: cosine(warmup: 4 steps)
  steps: 20  micro_batch_size: 4  sequence_len: 96  max_grad_norm: 1.0
}
evaluate model, clerk on orders.eval {
  metrics: [loss]  generate: greedy(max_new_tokens: 24)  micro_batch_size: 4  sequence_len: 96
}
${merge}`;

/** Beside the packed checkpoint, what a run needs. */
const furnish = (folder: string, base: string): void => {
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) copyFileSync(`${examples}base/shape/${file}`, `${base}/${file}`);
  for (const file of ["orders.train.jsonl", "orders.eval.jsonl"]) copyFileSync(`${examples}quickstart/${file}`, `${folder}/${file}`);
};

const ulps = (a: Float32Array, b: Float32Array): number => {
  const [x, y] = [new Int32Array(a.buffer, a.byteOffset, a.length), new Int32Array(b.buffer, b.byteOffset, b.length)];
  let most = 0;
  for (let i = 0; i < x.length; i++) if (a[i] !== b[i]) most = Math.max(most, Math.abs(x[i]! - y[i]!));
  return most;
};

const differing = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  assert.is(a.length, b.length);
  let count = 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) count++;
  return count;
};

/** Twenty steps over a folder's base from the same adapter and over the same batches, here and there. */
const twentySteps = async (
  folder: string,
  base: string,
  optimizer: "adamw" | "adamw8bit",
  choice: Choice,
): Promise<{ readonly ours: readonly number[]; readonly theirs: readonly number[]; readonly job: Job }> => {
  const opened = await open(pipeline(`${base}/`, choice), `${folder}/pipeline.peft`, await cpuDevice({ threads: 1 }));
  const { job, session } = opened;
  const train = job.train[0]!;
  await opened.save("clerk", `${folder}/first`);
  const rows = await opened.examples("orders", "train", train.sequence_len);
  const rates: number[] = [];
  const { losses } = await trainAdapter(job, train, rows, session, {
    history: new Float32Array(3 * 20),
    listen: (event) => {
      if (event.kind === "step") rates.push(event.rate);
    },
  });
  await opened.close();
  const plan = planEpoch(rows, { size: train.micro_batch_size, order: "shuffled", seed: train.seed, epoch: 0 });
  const batches = plan.slice(0, 20).map((planned) => {
    const { b, t, ids, rows: at, targets } = fillBatch(rows, planned, train.sequence_len);
    const labels = new Int32Array(b * t).fill(-100);
    for (const [i, place] of at.entries()) labels[place + 1] = targets[i]!;
    const cut = (all: Int32Array): number[][] => Array.from({ length: b }, (_, i) => [...all.subarray(i * t, (i + 1) * t)]);
    return { ids: cut(ids), labels: cut(labels) };
  });
  const theirs = (await python("train_steps.py", {
    base: `${folder}/${base}`,
    adapter: `${folder}/first`,
    optimizer: { kind: optimizer, learning_rate: 1e-2, weight_decay: 0.1 },
    rates,
    clip: 1,
    batches,
  })) as { losses: number[] };
  return { ours: losses, theirs: theirs.losses, job };
};

const near = (ours: readonly number[], theirs: readonly number[], most: number): void => {
  assert.ok(theirs[0]! - theirs[19]! > 0.3, `nothing was learned: ${theirs}`);
  const relative = Math.max(...theirs.map((loss, i) => Math.abs(ours[i]! / loss - 1)));
  assert.ok(relative < most, `losses off by ${relative}: ${ours} and ${theirs}`);
};

group("formats against bitsandbytes", (test) => {
  test(
    "codes with the same bits, values within one unit of the last place, on every block size; packed checkpoints give its logits",
    () =>
      inFolder(async (folder) => {
        const tensors = { even: [32, 1024], odd: [37, 53] };
        for (const [name, shape] of Object.entries(tensors))
          writeFileSync(`${folder}/${name}.f32`, new Uint8Array(normal(shape[0]! * shape[1]!, 7).buffer));
        const codes = Object.entries(tensors).flatMap(([name, shape]) => [
          ...["nf4", "fp4"].flatMap((type) =>
            [32, 64, 128, 256, 512, 1024, 2048, 4096].flatMap((block) =>
              [false, true].map((double) => ({ name, shape, type, block, double })),
            ),
          ),
          { name, shape, type: "int8", block: 0, double: false },
        ]);
        const answer = (await python("formats.py", { folder, codes, model: { config, ids: [row], packs } })) as {
          model: Record<string, number[][][]>;
        };
        let scales = 0;
        let missed = 0;
        for (const { name, shape, type, block, double } of codes) {
          const file = (part: string): Buffer => readFileSync(`${folder}/${name}.${type}.${block}.${double ? "True" : "False"}.${part}`);
          const floats = (part: string): Float32Array => new Float32Array(Uint8Array.from(file(part)).buffer);
          const format = await formatNamed(type === "int8" ? "int8()" : `${type}(block: ${block}, double: ${double})`);
          const values = normal(shape[0]! * shape[1]!, 7);
          const pieces = encode(format, values, shape);
          const what = `${type} ${block} ${double} on ${name}`;
          assert.is(differing(pieces.get(".code")!, file("code")), 0, `${what}: codes`);
          // One scale alone is its own mean: theirs divides 0 by 0 there.
          if (double && pieces.get(".scale.code")!.length > 1) {
            assert.is(differing(pieces.get(".scale.code")!, file("scale.code")), 0, `${what}: codes of scales`);
            assert.is(differing(pieces.get(".scale.scale")!, floats("scale.scale")), 0, `${what}: scales of scales`);
            assert.is(differing(pieces.get(".scale.offset")!, floats("scale.offset")), 0, `${what}: mean of scales`);
            scales += pieces.get(".scale.code")!.length;
            missed += differing(pieces.get(".scale.code")!, file("scale.fast"));
          } else if (!double) {
            assert.is(differing(pieces.get(".scale")!, floats("scale")), 0, `${what}: scales`);
            if (values.length % 2 === 0 || type === "int8") {
              const off = ulps(decode(format, pieces, shape), floats("value"));
              assert.ok(off <= 1, `${what}: values off by ${off} units in the last place`);
            }
          }
        }
        // Their fast kernel for scales misses the nearest entry now and then (spec/decisions/0030); were it often, or never, we would be wrong.
        assert.ok(missed > 0 && missed < 0.01 * scales, `their fast kernel differs in ${missed} of ${scales} scales`);

        for (const { name, type } of packs) {
          const base = `${folder}/packs/${name}`;
          furnish(folder, base);
          const opened = await open(pipeline(`packs/${name}/`), `${folder}/pipeline.peft`, await cpuDevice({ threads: 1 }));
          assert.match(opened.job.parameters.find((one) => one.name === "layers.0.attn.q.weight")!.format!, new RegExp(`^${type}`));
          const ours = await opened.logits("model", row);
          await opened.close();
          const size = Math.max(1, ...ours.flat().map(Math.abs));
          const far = apart(ours, answer.model[name]![0]) / size;
          // Their 8-bit product rounds the activations to 8 bits too; ours does not.
          assert.ok(far < (type === "int8" ? 5e-2 : 1e-5), `${name}: logits off by ${far} of ${size}`);
        }
      }),
    { skip },
  );

  for (const pack of packs)
    test(
      `twenty steps over ${pack.name} (${pack.type}${pack.double ? ", double" : ""}): its losses`,
      () =>
        inFolder(async (folder) => {
          await python("formats.py", { folder, codes: [], model: { config, ids: [row], packs: [pack] } });
          furnish(folder, `${folder}/packs/${pack.name}`);
          const { ours, theirs } = await twentySteps(folder, `packs/${pack.name}`, "adamw", {});
          near(ours, theirs, 1e-3);
        }),
      { skip },
    );

  test(
    "optimizer state in 8 bits: its codes after five steps with the same bits, and small tensors in f32",
    () =>
      inFolder(async (folder) => {
        const built = await build(
          `peft 1
base tiny = blank("base/", seed: 3)
adapter some = tune() into tiny.layers.0.mlp.{up, down}, tiny.layers.0.attn.q
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows {
  optimizer: adamw(learning_rate: 1e-2, weight_decay: 0.1) store m as signed8() store v as unsigned8()
  steps: 5  micro_batch_size: 2  sequence_len: 8
}`,
          // 40 times 151 is more than sixteen blocks and ends within one; 40 times 40 is less.
          { ...llamaConfig, hidden_size: 40, intermediate_size: 151, num_hidden_layers: 1 },
        );
        const train = built.job.train[0]!;
        const params = built.job.parameters.filter(({ trained }) => trained);
        const ours = await openCpu(built);
        await drawAll(built.job, (name, data) => ours.write(name, data), { nonzero: true });
        const write = (name: string, data: Float32Array): void =>
          writeFileSync(`${folder}/${name}.f32`, new Uint8Array(data.slice().buffer));
        for (const [i, { name }] of params.entries()) write(`state.${i}`, (await ours.read(name)) as Float32Array);
        for (let step = 0; step < 5; step++) {
          for (const [i, { name, shape }] of params.entries()) {
            const gradient = normal(shape[0]! * shape[1]!, 100 * step + i).map((v) => v / 100);
            write(`state.${i}.${step}`, gradient);
            await ours.write(`gradient(${name})`, gradient);
          }
          await tellStep(ours, "some.scalars", train.scalars, step);
          await ours.run(train.norm, {});
          await ours.run(train.update, {});
        }
        await python("formats.py", {
          folder,
          codes: [],
          state: { shapes: params.map(({ shape }) => shape), steps: 5, learning_rate: 1e-2, weight_decay: 0.1 },
        });
        const theirs = (i: number, part: string): Uint8Array => Uint8Array.from(readFileSync(`${folder}/state.${i}.${part}`));
        let codes = 0;
        for (const [i, { name, shape }] of params.entries()) {
          const elements = shape[0]! * shape[1]!;
          const expected = new Float32Array(theirs(i, "p").buffer);
          const found = (await ours.read(name)) as Float32Array;
          assert.ok(apart([[...found]], [[...expected]]) < 1e-6, `${name} is off by ${apart([[...found]], [[...expected]])}`);
          const [m, v] = [theirs(i, "state1"), theirs(i, "state2")];
          assert.is(m.length, elements < 4096 ? 4 * elements : elements, `${name}: bytes of a state`);
          if (elements < 4096) continue;
          for (const [state, wanted] of [
            ["m", m],
            ["v", v],
          ] as const) {
            const all = (await ours.read(`some.${state}.code`)) as Uint8Array;
            assert.is(differing(all.subarray(codes, codes + elements), wanted), 0, `${name}: codes of ${state}`);
          }
          codes += 256 * Math.ceil(elements / 256);
        }
        assert.is(codes, 2 * 256 * 24, "two tensors are in 8 bits");
        await ours.close();
      }),
    { skip },
  );

  test(
    "twenty steps with optimizer state in 8 bits: its losses, and nearly those in f32",
    () =>
      inFolder(async (folder) => {
        await python("formats.py", { folder, codes: [], model: { config, ids: [row], packs: [] } });
        furnish(folder, `${folder}/base`);
        // r 64 of matrices 64 wide is the least that they keep in 8 bits.
        const wide = { rank: 64, into: "*.mlp.**" };
        const choice = { ...wide, state: "store m as signed8() store v as unsigned8()" };
        const { ours, theirs, job } = await twentySteps(folder, "base", "adamw8bit", choice);
        assert.ok(job.train[0]!.state.some(({ value }) => value === "clerk.m.code"));
        near(ours, theirs, 1e-3);
        const plain = await twentySteps(folder, "base", "adamw", wide);
        near(ours, plain.theirs, 1e-3);
      }),
    { skip },
  );

  test(
    "merged into 4 and 8 bits, transformers loads the folder and computes what we do",
    () =>
      inFolder(async (folder) => {
        await python("formats.py", { folder, codes: [], model: { config, ids: [row], packs: [] } });
        furnish(folder, `${folder}/base`);
        for (const [as, back] of [
          ["nf4(double: true)", 2e-5],
          ["int8()", 5e-2],
          ["f16", 2e-2],
        ] as const) {
          const text = pipeline("base/", { store: "layers.** as nf4(double: true)", merge: `merge clerk into "merged/" as ${as}\n` });
          writeFileSync(`${folder}/pipeline.peft`, text);
          await runFile(`${folder}/pipeline.peft`, `${folder}/out`);
          const theirs = (await python("load_merged.py", { model: `${folder}/out/merged`, ids: [row], train: true })) as {
            logits: number[][][];
            missing: string[];
            unexpected: string[];
          };
          assert.equal([theirs.missing, theirs.unexpected], [[], []]);
          copyFileSync(`${examples}base/shape/tokenizer.json`, `${folder}/out/merged/tokenizer.json`);
          const merged = await open(pipeline("out/merged/"), `${folder}/merged.peft`, await cpuDevice({ threads: 1 }));
          const ours = await merged.logits("model", row);
          await merged.close();
          const size = Math.max(1, ...ours.flat().map(Math.abs));
          assert.ok(apart(ours, theirs.logits[0]) / size < back, `${as}: off by ${apart(ours, theirs.logits[0]) / size}`);
          // And it is the adapter that was trained, as nearly as the format can hold it.
          const unmerged = await open(text, `${folder}/pipeline.peft`, await cpuDevice({ threads: 1 }));
          await unmerged.load("clerk", `${folder}/out/adapters/clerk`);
          const trained = await unmerged.logits("clerk", row);
          await unmerged.close();
          const moved = apart(trained, theirs.logits[0]) / size;
          assert.ok(moved < (as.startsWith("nf4") ? 0.6 : 6e-2), `${as}: ${moved} from what was trained`);
          rmSync(`${folder}/out`, { recursive: true });
        }
      }),
    { skip },
  );
});
