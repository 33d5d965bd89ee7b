// What we read, train and write, against transformers and PEFT: logits of random checkpoints, twenty training steps, a saved
// adapter that PEFT loads, a merged folder that transformers loads. Nothing here needs data from outside the repository.

import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { main } from "../../cli/main.ts";
import { random } from "../../examples/base/world.ts";
import { fillBatch, planEpoch } from "../../runtime/data/batches.ts";
import { cpuDevice } from "../../runtime/devices/cpu.ts";
import { trainAdapter } from "../../runtime/train.ts";
import { refold } from "../../spec/folded.ts";
import { assert, group } from "../harness.ts";
import { apart, type Opened, open } from "./opened.ts";
import { python, pythonMissing } from "./python.ts";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));

// The quickstart's tokenizer, so that real rows can be trained on: 384 ids.
const llama = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 384,
  hidden_size: 32,
  intermediate_size: 56,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  bos_token_id: 1,
  eos_token_id: 2,
};
const gpt2 = {
  architectures: ["GPT2LMHeadModel"],
  model_type: "gpt2",
  vocab_size: 384,
  n_embd: 24,
  n_layer: 2,
  n_head: 3,
  n_positions: 128,
  activation_function: "gelu_new",
  resid_pdrop: 0,
  embd_pdrop: 0,
  attn_pdrop: 0,
  tie_word_embeddings: true,
  bos_token_id: 1,
  eos_token_id: 2,
};

interface Made {
  readonly config: Record<string, unknown>;
  readonly dtype?: "f32" | "f16" | "bf16";
  readonly shard_bytes?: number;
}

const checkpoints: Record<string, Made> = {
  "llama, grouped heads, tied": { config: llama },
  "llama, every head its own key, untied, biases, bf16": {
    config: { ...llama, num_key_value_heads: 4, tie_word_embeddings: false, attention_bias: true, mlp_bias: true },
    dtype: "bf16",
  },
  "llama, one key head, wide heads, other base of rotation, f16 in shards": {
    config: { ...llama, num_key_value_heads: 1, head_dim: 12, rope_theta: 500.0, tie_word_embeddings: false },
    dtype: "f16",
    shard_bytes: 20_000,
  },
  "gpt2, tied": { config: gpt2 },
  mixtral: {
    config: { ...llama, architectures: ["MixtralForCausalLM"], model_type: "mixtral", num_local_experts: 4, num_experts_per_tok: 2 },
  },
  "granitemoe, f16": {
    config: {
      ...llama,
      architectures: ["GraniteMoeForCausalLM"],
      model_type: "granitemoe",
      num_local_experts: 4,
      num_experts_per_tok: 2,
      attention_multiplier: 0.35,
      residual_multiplier: 0.8,
    },
    dtype: "f16",
  },
  "gpt2, untied, narrow feed-forward, f16": { config: { ...gpt2, tie_word_embeddings: false, n_inner: 40 }, dtype: "f16" },
};

const ids = (count: number, seed: number): number[] => {
  const next = random(seed);
  return [1, ...Array.from({ length: count - 1 }, () => 3 + Math.floor(next() * 380))];
};

/** A folder for one test, with a checkpoint made by transformers and the quickstart's tokenizer and orders. */
const withCheckpoint = async (made: Made, body: (folder: string, reference: Reference) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-parity-`);
  try {
    const row = ids(24, 5);
    const labels = row.map((id, i) => (i < 9 ? -100 : id));
    const reference = (await python("reference.py", {
      ...made,
      seed: 3,
      folder: `${folder}/base`,
      ids: [row],
      labels: [labels],
    })) as Reference;
    for (const file of ["tokenizer.json", "tokenizer_config.json"]) copyFileSync(`${examples}base/shape/${file}`, `${folder}/base/${file}`);
    for (const file of ["orders.train.jsonl", "orders.eval.jsonl"]) copyFileSync(`${examples}quickstart/${file}`, `${folder}/${file}`);
    await body(folder, reference);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** `peft run FILE -o OUT`, in this process. */
const run = async (file: string, out: string): Promise<void> => {
  const said: string[] = [];
  const stream = { write: (text: string) => void said.push(text), terminal: false, columns: () => undefined, colour: false };
  const io = { cwd: "/", out: stream, err: stream, stdin: () => "", now: () => 0 };
  const code = await main(["run", file, "-o", out, "--device", "cpu"], io);
  assert.is(code, 0, said.join(""));
};

interface Reference {
  readonly logits: number[][][];
  readonly loss: number;
}

const pipeline = (adapter: string, optimizer: string): string => `peft 1
base model = checkpoint("base/")
adapter clerk ${adapter.startsWith("{") ? adapter : `= ${adapter}`}
data orders {
  train = jsonl("orders.train.jsonl", rows: 80)
  eval = jsonl("orders.eval.jsonl", rows: 8)
  prompt = "{slip}\\n"
  answer = "{text}"
}
train clerk on orders {
  optimizer: ${optimizer}
  schedule: cosine(warmup: 4 steps)
  steps: 20
  micro_batch_size: 4
  sequence_len: 96
  max_grad_norm: 1.0
}
evaluate model, clerk on orders.eval {
  metrics: [loss]
  generate: greedy(max_new_tokens: 24)
  micro_batch_size: 4
  sequence_len: 96
}
merge clerk into "merged/"
`;

const opened = async (folder: string, text: string, body: (opened: Opened) => Promise<void>): Promise<void> => {
  const one = await open(text, `${folder}/pipeline.peft`, await cpuDevice({ threads: 1 }));
  try {
    await body(one);
  } finally {
    await one.close();
  }
};

const lora = "lora(r: 4, alpha: 8) into model.layers.**";
const adamw = "adamw(learning_rate: 1e-2, weight_decay: 0.1)";

/** Twenty steps of ours beside twenty of theirs, from the same tensors and over the same batches. */
const trainsAlike = (made: Made, adapter: string, optimizer: string, theirs: Record<string, unknown>): Promise<void> =>
  withCheckpoint(made, async (folder) =>
    opened(folder, pipeline(adapter, optimizer), async ({ job, session, examples: read, save }) => {
      const train = job.train[0]!;
      const selective = job.adapters[0]!.files.library === "none";
      if (!selective) await save("clerk", `${folder}/first`);
      const rows = await read("orders", "train", train.sequence_len);
      const rates: number[] = [];
      const { losses, norms } = await trainAdapter(job, train, rows, session, {
        history: new Float32Array(3 * 20),
        listen: (event) => {
          if (event.kind === "step") rates.push(event.rate);
        },
      });
      const plan = planEpoch(rows, { size: train.micro_batch_size, order: "shuffled", seed: train.seed, epoch: 0 });
      const batches = plan.slice(0, 20).map((planned) => {
        const { b, t, ids: flat, rows: at, targets } = fillBatch(rows, planned, train.sequence_len);
        const labels = new Int32Array(b * t).fill(-100);
        for (const [i, row] of at.entries()) labels[row + 1] = targets[i]!;
        const cut = (all: Int32Array): number[][] => Array.from({ length: b }, (_, i) => [...all.subarray(i * t, (i + 1) * t)]);
        return { ids: cut(flat), labels: cut(labels) };
      });
      const answer = (await python("train_steps.py", {
        base: `${folder}/base`,
        ...(selective ? {} : { adapter: `${folder}/first` }),
        optimizer: theirs,
        rates,
        clip: 1,
        batches,
      })) as { losses: number[]; norms: number[]; parameters: Record<string, number[]> };
      assert.is(losses.length, 20);
      assert.ok(answer.losses[0]! - answer.losses[19]! > 0.3, `nothing was learned: ${answer.losses}`);
      assert.ok(apart([...losses], answer.losses) < 1e-4, `losses ${apart([...losses], answer.losses)}`);
      const relative = answer.norms.map((norm, i) => Math.abs(norm - norms[i]!) / norm);
      assert.ok(Math.max(...relative) < 1e-3, `gradient norms ${relative}`);
      for (const { key, parameter, transposed, fold } of job.adapters[0]!.files.tensors) {
        if (selective || transposed) continue;
        const plain = (await session.read(parameter)) as Float32Array;
        const { shape } = job.parameters.find(({ name }) => name === parameter)!;
        const ours = fold ? refold(plain, shape, fold, false) : plain;
        const name = key.replace(/(lora_[AB])\.weight$/, "$1.default.weight");
        const [norm, ...first] = answer.parameters[name] ?? [];
        assert.ok(norm !== undefined, `PEFT has no ${name}: ${Object.keys(answer.parameters).slice(0, 3)}`);
        assert.ok(Math.abs(Math.hypot(...ours) - norm) < 1e-3 * norm + 1e-5, `${name}: norm ${Math.hypot(...ours)}, theirs ${norm}`);
        assert.ok(apart([...ours.subarray(0, 8)], first) < 1e-3, `${name}: ${apart([...ours.subarray(0, 8)], first)}`);
      }
    }),
  );

group("libraries", (test) => {
  const skip = pythonMissing;

  for (const [name, made] of Object.entries(checkpoints))
    test(
      `logits of a random checkpoint: ${name}`,
      () =>
        withCheckpoint(made, (folder, reference) =>
          opened(folder, pipeline(lora, adamw), async ({ logits }) => {
            const ours = await logits("model", ids(24, 5));
            // Relative to their size: random weights make logits of about 10.
            const scale = Math.max(1, ...reference.logits[0]!.flat().map(Math.abs));
            const far = apart(ours, reference.logits[0]) / scale;
            assert.ok(far < 1e-5, `${far} of ${scale}`);
          }),
        ),
      { skip },
    );

  const theirAdamw = { kind: "adamw", learning_rate: 1e-2, weight_decay: 0.1 };
  const tied = checkpoints["llama, grouped heads, tied"]!;
  test("20 steps: LoRA, AdamW, llama", () => trainsAlike(tied, lora, adamw, theirAdamw), { skip });
  test(
    "20 steps: LoRA, SGD with momentum, gpt2",
    () =>
      trainsAlike(checkpoints["gpt2, tied"]!, lora, "sgd(learning_rate: 0.1, momentum: 0.9)", {
        kind: "sgd",
        learning_rate: 0.1,
        momentum: 0.9,
      }),
    { skip },
  );
  test(
    "20 steps: every parameter, AdamW, llama with biases",
    () =>
      trainsAlike(
        { ...checkpoints["llama, every head its own key, untied, biases, bf16"]!, dtype: "f32" },
        "tune() into model.**",
        "adamw(learning_rate: 1e-3)",
        {
          kind: "adamw",
          learning_rate: 1e-3,
          weight_decay: 0.01,
        },
      ),
    { skip },
  );
  test(
    "20 steps: every parameter, tied embedding",
    () =>
      trainsAlike(tied, "tune() into model.**", "adamw(learning_rate: 1e-3)", { kind: "adamw", learning_rate: 1e-3, weight_decay: 0.01 }),
    { skip },
  );

  const mixture = `{
  lora(r: 4, alpha: 8) into model.layers.*.attn.{q, v}, model.layers.*.mlp.experts.**
  lora(r: 2, alpha: 8) into model.layers.*.mlp.router
}`;
  test("20 steps: LoRA, AdamW, the experts of mixtral", () => trainsAlike(checkpoints.mixtral!, mixture, adamw, theirAdamw), { skip });
  for (const [name, adapter] of [
    ["llama, grouped heads, tied", lora],
    ["gpt2, untied, narrow feed-forward, f16", lora],
    ["mixtral", mixture],
    ["granitemoe, f16", mixture],
  ] as const)
    test(
      `run: the adapter loads in PEFT, the merged folder in transformers, with our logits: ${name}`,
      () =>
        withCheckpoint(checkpoints[name]!, async (folder) => {
          const text = pipeline(adapter, adamw);
          writeFileSync(`${folder}/pipeline.peft`, text);
          await run(`${folder}/pipeline.peft`, `${folder}/out`);
          const row = ids(20, 9);
          await opened(folder, text, async ({ logits, load, job }) => {
            await load("clerk", `${folder}/out/adapters/clerk`);
            const ours = await logits("clerk", row);
            const scale = Math.max(1, ...ours.flat().map(Math.abs));
            const near = (theirs: unknown, tolerance: number, what: string): void => {
              const far = apart(ours, theirs) / scale;
              assert.ok(far < tolerance, `${what}: ${far} of ${scale}`);
            };
            const peft = (await python("load_adapter.py", {
              base: `${folder}/base`,
              adapter: `${folder}/out/adapters/clerk`,
              ids: [row],
            })) as {
              logits: number[][][];
              base_logits: number[][][];
              trainable: number;
            };
            assert.is(peft.trainable, job.adapters[0]!.trainable);
            assert.ok(apart(peft.logits, peft.base_logits) / scale > 1e-2, "the adapter changes nothing");
            near(peft.logits[0], 1e-5, "PEFT");
            const loaded = pipeline('load("out/adapters/clerk")', adamw);
            await opened(folder, loaded, async (again) => {
              await again.load("clerk", `${folder}/out/adapters/clerk`);
              near(await again.logits("clerk", row), 1e-6, "load");
            });
            const merged = (await python("load_merged.py", { model: `${folder}/out/merged`, ids: [row], text: "Ada the potter" })) as {
              logits: number[][][];
              missing: string[];
              unexpected: string[];
              text_ids: number[];
            };
            assert.equal([merged.missing, merged.unexpected], [[], []]);
            assert.is(merged.text_ids[0], 1);
            // What rounding to the stored dtype may do: 2^-11 of each weight in f16.
            near(merged.logits[0], checkpoints[name]!.dtype === "f16" ? 2e-2 : 1e-5, "merged");
          });
        }),
      { skip },
    );
});
