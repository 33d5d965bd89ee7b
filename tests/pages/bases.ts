// The folders that pages of diagnostics name, beside the small llama that every page has: models of other kinds, checkpoints with something
// wrong, an adapter. Each is written only where a page names it.

import { config, type Stored, safetensors, tokenizer, zerosFor } from "../mistakes/world.ts";

type Files = ReadonlyMap<string, string | Uint8Array>;

const text = { vocab_size: 512, max_position_embeddings: 64 };
const sizes = { hidden_size: 32, intermediate_size: 40, num_hidden_layers: 2, num_attention_heads: 4, ...text };

/** config.json of bases that are drawn. */
const configs: Readonly<Record<string, object>> = {
  words: config,
  small: { architectures: ["Small"], width: 32, ...text },
  fused: { architectures: ["GPTNeoXForCausalLM"], ...sizes },
  mixture: { architectures: ["MixtralForCausalLM"], ...sizes, num_key_value_heads: 2, num_local_experts: 4, num_experts_per_tok: 2 },
  encoder: { architectures: ["BertForMaskedLM"], ...sizes, type_vocab_size: 2 },
  translator: {
    architectures: ["T5ForConditionalGeneration"],
    vocab_size: 512,
    d_model: 32,
    d_kv: 8,
    d_ff: 40,
    num_layers: 2,
    num_heads: 4,
    n_positions: 64,
    decoder_start_token_id: 0,
  },
};

/** A tokenizer of words, which makes nothing of white space. */
const words = JSON.stringify({
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: "Whitespace" },
  post_processor: null,
  decoder: null,
  model: {
    type: "WordPiece",
    vocab: { "<unk>": 0, Summarise: 1, the: 2, dialogue: 3 },
    unk_token: "<unk>",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
  },
});

const floats = (...values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const like = ({ dtype, shape, bytes }: Stored, value: number): Stored => ({
  dtype,
  shape,
  bytes: floats(...new Array(bytes.length / 4).fill(value)),
});

const query = "model.layers.0.self_attn.q_proj.weight";

/** What is done to the tensors of the small llama. */
const checkpoints: Readonly<Record<string, (tensors: Map<string, Stored>) => void>> = {
  healthy: () => {},
  "other-base": (tensors) => tensors.set(query, like(tensors.get(query)!, 1)),
  other: (tensors) => tensors.set("model.vision.patch.weight", { dtype: "F32", shape: [4], bytes: floats(1, 2, 3, 4) }),
  "eight-bits": (tensors) => tensors.set(query, { dtype: "F8_E4M3", shape: [32, 32], bytes: new Uint8Array(32 * 32) }),
  diverged: (tensors) => tensors.set(query, like(tensors.get(query)!, Number.NaN)),
  // As bitsandbytes stores nf4, but with a codebook of zeros.
  "packed-with-another-codebook": (tensors) => {
    const count = tensors.get(query)!.bytes.length / 4;
    const state = new TextEncoder().encode(JSON.stringify({ quant_type: "nf4", blocksize: 64, dtype: "float32", shape: [32, 32] }));
    tensors.set(query, { dtype: "U8", shape: [count / 2, 1], bytes: new Uint8Array(count / 2) });
    tensors.set(`${query}.absmax`, { dtype: "F32", shape: [count / 64], bytes: new Uint8Array((count / 64) * 4) });
    tensors.set(`${query}.quant_map`, { dtype: "F32", shape: [16], bytes: new Uint8Array(64) });
    tensors.set(`${query}.quant_state.bitsandbytes__nf4`, { dtype: "U8", shape: [state.length], bytes: state });
  },
};

/** LoRA on the queries of the small llama, as PEFT saves it. */
const adapter = (folder: string): Map<string, string | Uint8Array> => {
  const tensors = new Map<string, Stored>();
  for (let layer = 0; layer < Number(config.num_hidden_layers); layer++)
    for (const [name, shape] of [
      ["lora_A", [2, 32]],
      ["lora_B", [32, 2]],
    ] as const)
      tensors.set(`base_model.model.model.layers.${layer}.self_attn.q_proj.${name}.weight`, {
        dtype: "F32",
        shape,
        bytes: new Uint8Array(256),
      });
  const settings = { peft_type: "LORA", task_type: "CAUSAL_LM", r: 2, lora_alpha: 4, target_modules: ["q_proj"] };
  return new Map<string, string | Uint8Array>([
    [`${folder}/adapter_config.json`, JSON.stringify(settings)],
    [`${folder}/adapter_model.safetensors`, safetensors(tensors)],
  ]);
};

/** Virtual tokens as PEFT saves them, without what they were computed from. */
const virtualTokens = (folder: string): Files =>
  new Map<string, string | Uint8Array>([
    [
      `${folder}/adapter_config.json`,
      JSON.stringify({
        peft_type: "P_TUNING",
        task_type: "CAUSAL_LM",
        num_virtual_tokens: 4,
        token_dim: 32,
        num_transformer_submodules: 1,
        encoder_hidden_size: 32,
        encoder_reparameterization_type: "MLP",
        encoder_num_layers: 2,
        encoder_dropout: 0,
      }),
    ],
    [
      `${folder}/adapter_model.safetensors`,
      safetensors(new Map([["prompt_embeddings", { dtype: "F32", shape: [4, 32], bytes: new Uint8Array(512) }]])),
    ],
  ]);

/** The files of every folder that a page names. */
export const basesFor = async (page: string): Promise<Files> => {
  const files = new Map<string, string | Uint8Array>();
  const named = (folder: string): boolean => page.includes(`"${folder}/"`);
  const add = (folder: string, settings: object): void => {
    files.set(`${folder}/config.json`, JSON.stringify(settings));
    files.set(`${folder}/tokenizer.json`, tokenizer);
    if (folder === "encoder") files.set(`${folder}/tokenizer_config.json`, '{"mask_token": "<unk>"}');
  };
  for (const [folder, settings] of Object.entries(configs)) if (named(folder)) add(folder, settings);
  for (const [folder, change] of Object.entries(checkpoints))
    if (named(folder)) {
      const tensors = await zerosFor(JSON.stringify(config));
      change(tensors);
      add(folder, config);
      files.set(`${folder}/model.safetensors`, safetensors(tensors));
    }
  for (const folder of ["adapters/menu", "adapters/with-head"])
    if (named(folder)) for (const [name, content] of adapter(folder)) files.set(name, content);
  if (named("adapters/with-head")) files.set("adapters/with-head/head_config.json", "{}");
  if (named("adapters/soft")) for (const [name, content] of virtualTokens("adapters/soft")) files.set(name, content);
  // What the adapter was made for had other numbers.
  if (named("other-base")) files.set("adapters/menu/base.json", JSON.stringify({ tensors: { [query]: "F32 [32, 32] 3f2a9c81d7e0b654" } }));
  if (named("words")) files.set("words/tokenizer.json", words);
  return files;
};
