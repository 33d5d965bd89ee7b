// A Hugging Face folder of a Llama with random weights, for benches: config.json, a tokenizer of 384 tokens, one file of tensors that is
// written a few megabytes at a time. Equal shapes and seeds give equal bytes.

import { closeSync, copyFileSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Shape {
  readonly hidden: number;
  readonly layers: number;
  /** Width of the feed-forward; by default eleven quarters of `hidden`, as Llama's is. */
  readonly inner?: number;
  readonly heads?: number;
  readonly dtype?: "F32" | "BF16";
}

const vocabulary = 384;

/** Writes the folder, which must not be there yet. */
export const writeLlama = (folder: string, shape: Shape): void => {
  const { hidden, layers, inner = (hidden * 11) / 4, heads = hidden / 64, dtype = "BF16" } = shape;
  mkdirSync(folder, { recursive: true });
  const config = {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: vocabulary,
    hidden_size: hidden,
    intermediate_size: inner,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: heads,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-5,
    hidden_act: "silu",
    bos_token_id: 1,
    eos_token_id: 2,
    tie_word_embeddings: false,
    torch_dtype: dtype === "F32" ? "float32" : "bfloat16",
  };
  writeFileSync(`${folder}/config.json`, `${JSON.stringify(config, undefined, 2)}\n`);
  for (const file of ["tokenizer.json", "tokenizer_config.json"])
    copyFileSync(fileURLToPath(new URL(`../examples/base/shape/${file}`, import.meta.url)), `${folder}/${file}`);
  writeTensors(`${folder}/model.safetensors`, dtype, [
    ["model.embed_tokens.weight", [vocabulary, hidden]],
    ...Array.from({ length: layers }, (_, i): [string, number[]][] => [
      [`model.layers.${i}.input_layernorm.weight`, [hidden]],
      [`model.layers.${i}.self_attn.q_proj.weight`, [hidden, hidden]],
      [`model.layers.${i}.self_attn.k_proj.weight`, [hidden, hidden]],
      [`model.layers.${i}.self_attn.v_proj.weight`, [hidden, hidden]],
      [`model.layers.${i}.self_attn.o_proj.weight`, [hidden, hidden]],
      [`model.layers.${i}.post_attention_layernorm.weight`, [hidden]],
      [`model.layers.${i}.mlp.gate_proj.weight`, [inner, hidden]],
      [`model.layers.${i}.mlp.up_proj.weight`, [inner, hidden]],
      [`model.layers.${i}.mlp.down_proj.weight`, [hidden, inner]],
    ]).flat(),
    ["model.norm.weight", [hidden]],
    ["lm_head.weight", [vocabulary, hidden]],
  ]);
};

/** Matrices are uniform with a deviation of 0.02; vectors are ones. */
const writeTensors = (path: string, dtype: "F32" | "BF16", tensors: readonly (readonly [string, readonly number[]])[]): void => {
  const bytesEach = dtype === "F32" ? 4 : 2;
  const sizes = tensors.map(([, shape]) => shape.reduce((a, b) => a * b, 1));
  let end = 0;
  const entries = tensors.map(([name, shape], i) => {
    const start = end;
    end += sizes[i]! * bytesEach;
    return [name, { dtype, shape, data_offsets: [start, end] }] as const;
  });
  const text = JSON.stringify(Object.fromEntries(entries));
  const header = new TextEncoder().encode(text.padEnd(8 * Math.ceil(text.length / 8)));
  const file = openSync(path, "wx");
  try {
    writeSync(file, new Uint8Array(new BigUint64Array([BigInt(header.length)]).buffer));
    writeSync(file, header);
    const piece = new Float32Array(1 << 20);
    const bits = new Uint32Array(piece.buffer);
    const halves = new Uint16Array(piece.length);
    let state = 1;
    for (const [i, size] of sizes.entries())
      for (let done = 0; done < size; done += piece.length) {
        const count = Math.min(piece.length, size - done);
        for (let k = 0; k < count; k++) {
          // xorshift32 (Marsaglia 2003)
          state ^= state << 13;
          state ^= state >>> 17;
          state ^= state << 5;
          piece[k] = tensors[i]![1].length === 1 ? 1 : (state / 2 ** 31) * 0.02 * Math.sqrt(3);
          halves[k] = bits[k]! >>> 16;
        }
        const bytes = dtype === "F32" ? new Uint8Array(piece.buffer, 0, 4 * count) : new Uint8Array(halves.buffer, 0, 2 * count);
        for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      }
  } finally {
    closeSync(file);
  }
};
