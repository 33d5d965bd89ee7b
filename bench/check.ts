// How long `peft check` takes from a cold start, as a whole process, against `node -e 0` in the same run: the ratio a person feels
// on every save and a CI job pays on every pull request. Then two that grow: a 70B-shaped checkpoint (its headers; the weights are holes in
// sparse files) and a folder of a hundred pipelines. Runs alternate, so that a busy moment of the machine falls on both.
//
//   npm run bench:check            # examples, 30 runs each
//   npm run bench:check -- 100     # more runs

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildWhenStale } from "../build.ts";

/** A checkpoint of 70 billion parameters as its config.json and headers say it: 80 layers in 30 shards whose weights are holes. */
function large(into: string): void {
  const [hidden, inner, kv, vocabulary, layers, shards] = [8192, 28672, 1024, 128256, 80, 30];
  const base = join(into, "large/base");
  mkdirSync(base, { recursive: true });
  const config = {
    architectures: ["LlamaForCausalLM"],
    hidden_size: hidden,
    intermediate_size: inner,
    num_hidden_layers: layers,
    num_attention_heads: 64,
    num_key_value_heads: 8,
    vocab_size: vocabulary,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-5,
    rope_theta: 500000,
    tie_word_embeddings: false,
  };
  writeFileSync(join(base, "config.json"), JSON.stringify(config));
  const tensors: [string, number[]][] = [["model.embed_tokens.weight", [vocabulary, hidden]]];
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string): string => `model.layers.${layer}.${part}.weight`;
    tensors.push([name("input_layernorm"), [hidden]], [name("post_attention_layernorm"), [hidden]]);
    tensors.push([name("self_attn.q_proj"), [hidden, hidden]], [name("self_attn.o_proj"), [hidden, hidden]]);
    tensors.push([name("self_attn.k_proj"), [kv, hidden]], [name("self_attn.v_proj"), [kv, hidden]]);
    tensors.push(
      [name("mlp.gate_proj"), [inner, hidden]],
      [name("mlp.up_proj"), [inner, hidden]],
      [name("mlp.down_proj"), [hidden, inner]],
    );
  }
  tensors.push(["model.norm.weight", [hidden]], ["lm_head.weight", [vocabulary, hidden]]);
  const map: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const file = `model-${String(shard + 1).padStart(5, "0")}-of-${String(shards).padStart(5, "0")}.safetensors`;
    const header: Record<string, unknown> = {};
    let offset = 0;
    for (const [name, shape] of tensors.slice(
      Math.ceil((shard * tensors.length) / shards),
      Math.ceil(((shard + 1) * tensors.length) / shards),
    )) {
      const bytes = 2 * shape.reduce((a, b) => a * b, 1);
      header[name] = { dtype: "BF16", shape, data_offsets: [offset, offset + bytes] };
      offset += bytes;
      map[name] = file;
    }
    const text = JSON.stringify(header);
    const head = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(head.length));
    writeFileSync(join(base, file), Buffer.concat([length, head]));
    truncateSync(join(base, file), 8 + head.length + offset);
  }
  writeFileSync(join(base, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map: map }));
  const text = `peft 1

base big = checkpoint("base/")

adapter menu = lora(r: 16, alpha: 32) into big.layers.**

require {
  trainable(menu) <= 1%
}
`;
  writeFileSync(join(into, "large/large.peft"), text);
}

/** A hundred pipelines over one small model, with their data beside them. */
function hundred(into: string): void {
  const folder = join(into, "hundred");
  mkdirSync(join(folder, "base"), { recursive: true });
  cpSync(`${root}examples/quickstart/base`, join(folder, "base"), { recursive: true });
  writeFileSync(join(folder, "train.jsonl"), '{"slip": "1 soup", "text": "One soup."}\n');
  for (let i = 0; i < 100; i++)
    writeFileSync(
      join(folder, `${i}.peft`),
      `peft 1

base tiny = checkpoint("base/")

adapter menu = lora(r: ${1 + (i % 32)}) into tiny.layers.*.attn.{q, v}

data orders {
  train = jsonl("train.jsonl")
  prompt = "{slip}\\n"
  answer = "{text}"
}

train menu on orders {
  optimizer: adamw(learning_rate: 2e-4)
  steps: ${100 + i}
  sequence_len: 128
}
`,
    );
}

const root = fileURLToPath(new URL("../", import.meta.url));
const runs = Number(process.argv[2] ?? 30);
const executable = `${root}dist/peft.cjs`;

const commands: Readonly<Record<string, readonly string[]>> = {
  "node -e 0": ["-e", "0"],
  "peft --version": [executable, "--version"],
  "peft check quickstart": [executable, "check", "examples/quickstart/quickstart.peft"],
  "peft check base": [executable, "check", "examples/base/base.peft"],
  "70B, 80 layers, 30 shards": [executable, "check", "{}/large/large.peft"],
  "a folder of 100 files": [executable, "check", "{}/hundred"],
};

await buildWhenStale();
const folder = mkdtempSync(join(tmpdir(), "peft-bench-"));
large(folder);
hundred(folder);
const times = new Map(Object.keys(commands).map((name) => [name, [] as number[]]));
for (let run = 0; run < runs; run++)
  for (const [name, args] of Object.entries(commands)) {
    const start = performance.now();
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      args.map((arg) => arg.replace("{}", folder)),
      { cwd: root, encoding: "utf8" },
    );
    times.get(name)!.push(performance.now() - start);
    if (status !== 0) throw new Error(`${name} exits ${status}: ${stdout}${stderr}`);
  }

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.floor(q * (sorted.length - 1))]!;
const sorted = new Map([...times].map(([name, list]) => [name, [...list].sort((a, b) => a - b)]));
const bare = sorted.get("node -e 0")!;
console.log(`node ${process.version}, ${runs} runs each, milliseconds\n`);
console.log(`${"".padEnd(28)}${["least", "quarter", "median", "ratio of medians"].map((title) => title.padStart(18)).join("")}`);
for (const [name, list] of sorted) {
  const cells = [0, 0.25, 0.5].map((q) => quantile(list, q).toFixed(1));
  console.log(
    `${name.padEnd(28)}${[...cells, (quantile(list, 0.5) / quantile(bare, 0.5)).toFixed(2)].map((cell) => cell.padStart(18)).join("")}`,
  );
}
rmSync(folder, { recursive: true, force: true });
