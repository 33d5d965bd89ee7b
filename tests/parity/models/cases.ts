// The checkpoints that every architecture is compared on: as small as shows every term, one line of what differs for each.

import { drawn } from "./drawn.ts";

export interface Case {
  /** File of its numbers in fixtures/. */
  readonly name: string;
  /** The class in transformers, and the value of `architectures` in config.json. */
  readonly class: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** What is predicted: the next token (default), masked tokens, the class of a row, or an answer to the row. */
  readonly task?: "masked" | "classes" | "answer";
  /** Channels, height and width of what the rows are, where they are pictures. */
  readonly picture?: readonly number[];
  /** How transformers computes attention; default eager. */
  readonly attention?: "sdpa";
  /** Tensors that transformers packs or renames when it loads them, so that it has no gradient of their name. */
  readonly packed?: RegExp;
  /** What the running model calls what the checkpoint calls otherwise. */
  readonly renamed?: readonly (readonly [stored: string, running: string])[];
}

const small = {
  vocab_size: 48,
  hidden_size: 32,
  intermediate_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 64,
};
const grouped = { ...small, num_key_value_heads: 2 };

const { vocab_size: _, max_position_embeddings: __, ...encoderless } = small;

const t5 = {
  vocab_size: 48,
  d_model: 32,
  d_kv: 10,
  d_ff: 40,
  num_layers: 3,
  num_decoder_layers: 2,
  num_heads: 4,
  relative_attention_num_buckets: 8,
  relative_attention_max_distance: 9,
};

/** The two tasks of an encoder. */
const encoder = (name: string, prefix: string, config: Readonly<Record<string, unknown>>): Case[] => [
  { name: `${name}-masked`, class: `${prefix}ForMaskedLM`, task: "masked", config },
  { name: `${name}-classes`, class: `${prefix}ForSequenceClassification`, task: "classes", config: { ...config, num_labels: 3 } },
];

export const cases: readonly Case[] = [
  { name: "llama", class: "LlamaForCausalLM", config: { ...grouped, attention_bias: true, mlp_bias: true, rms_norm_eps: 1e-3 } },
  {
    name: "llama-3",
    class: "LlamaForCausalLM",
    config: {
      ...grouped,
      head_dim: 12,
      tie_word_embeddings: true,
      rope_parameters: {
        rope_type: "llama3",
        rope_theta: 500.0,
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 32,
      },
    },
  },
  {
    name: "llama-linear",
    class: "LlamaForCausalLM",
    config: { ...grouped, rope_parameters: { rope_type: "linear", rope_theta: 100.0, factor: 3.0 } },
  },
  {
    name: "llama-yarn",
    class: "LlamaForCausalLM",
    config: {
      ...grouped,
      rope_parameters: {
        rope_type: "yarn",
        rope_theta: 100.0,
        factor: 4.0,
        beta_fast: 3.0,
        beta_slow: 0.5,
        truncate: false,
        original_max_position_embeddings: 16,
        attention_factor: 1.25,
      },
    },
  },
  { name: "mistral", class: "MistralForCausalLM", config: { ...grouped, sliding_window: 5 } },
  { name: "qwen2", class: "Qwen2ForCausalLM", config: { ...grouped, use_sliding_window: true, sliding_window: 4, max_window_layers: 1 } },
  { name: "qwen3", class: "Qwen3ForCausalLM", config: { ...grouped, head_dim: 12 } },
  {
    name: "qwen3-yarn",
    class: "Qwen3ForCausalLM",
    config: {
      ...grouped,
      head_dim: 12,
      rope_parameters: { rope_type: "yarn", rope_theta: 100.0, factor: 2.0, beta_fast: 4.0, original_max_position_embeddings: 32 },
    },
  },
  { name: "smollm3", class: "SmolLM3ForCausalLM", config: { ...grouped, no_rope_layer_interval: 2, pad_token_id: 0 } },
  {
    name: "gemma-2",
    class: "Gemma2ForCausalLM",
    config: {
      ...grouped,
      head_dim: 12,
      query_pre_attn_scalar: 10,
      attn_logit_softcapping: 2.5,
      final_logit_softcapping: 3.5,
      sliding_window: 4,
    },
  },
  {
    name: "gemma-3",
    class: "Gemma3ForCausalLM",
    config: {
      ...grouped,
      num_hidden_layers: 3,
      head_dim: 12,
      query_pre_attn_scalar: 10,
      sliding_window: 4,
      layer_types: ["sliding_attention", "sliding_attention", "full_attention"],
      rope_parameters: {
        sliding_attention: { rope_type: "default", rope_theta: 100.0 },
        full_attention: { rope_type: "default", rope_theta: 10000.0 },
      },
    },
  },
  {
    name: "phi-3",
    class: "Phi3ForCausalLM",
    config: {
      ...grouped,
      sliding_window: 6,
      pad_token_id: 0,
      rope_parameters: { rope_type: "default", rope_theta: 100.0, partial_rotary_factor: 0.5 },
    },
  },
  {
    name: "gpt-neox",
    class: "GPTNeoXForCausalLM",
    packed: /embed_out/,
    config: { ...small, rope_parameters: { rope_type: "default", rope_theta: 100.0, partial_rotary_factor: 0.25 } },
  },
  {
    name: "gpt-neox-serial",
    class: "GPTNeoXForCausalLM",
    packed: /embed_out/,
    config: {
      ...small,
      use_parallel_residual: false,
      rope_parameters: { rope_type: "default", rope_theta: 100.0, partial_rotary_factor: 1.0 },
    },
  },
  {
    name: "mixtral",
    class: "MixtralForCausalLM",
    renamed: [["block_sparse_moe.gate", "mlp.gate"]],
    config: {
      ...grouped,
      num_local_experts: 4,
      num_experts_per_tok: 2,
      sliding_window: 6,
      rope_parameters: { rope_type: "default", rope_theta: 100.0 },
    },
  },
  {
    name: "granitemoe",
    class: "GraniteMoeForCausalLM",
    renamed: [
      ["router.layer.weight", "router.weight"],
      ["input_linear.weight", "experts.gate_up_proj"],
      ["output_linear.weight", "experts.down_proj"],
    ],
    config: {
      ...grouped,
      num_local_experts: 5,
      num_experts_per_tok: 3,
      embedding_multiplier: 2.5,
      attention_multiplier: 0.2,
      residual_multiplier: 0.7,
      logits_scaling: 1.5,
      rope_parameters: { rope_type: "default", rope_theta: 100.0 },
    },
  },
  {
    name: "gpt-oss",
    class: "GptOssForCausalLM",
    config: {
      ...grouped,
      head_dim: 12,
      num_local_experts: 4,
      num_experts_per_tok: 2,
      sliding_window: 4,
      swiglu_alpha: 1.3,
      swiglu_limit: 0.4,
      rope_parameters: {
        rope_type: "yarn",
        rope_theta: 100.0,
        factor: 4.0,
        beta_fast: 4.0,
        truncate: false,
        original_max_position_embeddings: 16,
      },
    },
  },
  {
    name: "gpt-oss-full",
    class: "GptOssForCausalLM",
    config: {
      ...grouped,
      attention_bias: false,
      num_hidden_layers: 3,
      num_local_experts: 3,
      num_experts_per_tok: 1,
      sliding_window: 5,
      layer_types: ["full_attention", "sliding_attention", "full_attention"],
      rope_parameters: { rope_type: "default", rope_theta: 100.0 },
    },
  },
  { name: "falcon", class: "FalconForCausalLM", config: { ...small, ffn_hidden_size: 40 } },
  { name: "falcon-new", class: "FalconForCausalLM", config: { ...small, new_decoder_architecture: true, num_kv_heads: 2, bias: true } },
  {
    name: "falcon-slopes",
    class: "FalconForCausalLM",
    // The eager path of transformers 5.23 adds the slopes twice, once of them in the mask.
    attention: "sdpa",
    config: { ...small, alibi: true, multi_query: false, parallel_attn: false, bias: true },
  },
  { name: "opt", class: "OPTForCausalLM", config: { ...small, ffn_dim: 40, pad_token_id: 0 } },
  {
    name: "opt-narrow",
    class: "OPTForCausalLM",
    config: { ...small, ffn_dim: 40, word_embed_proj_dim: 20, do_layer_norm_before: false, pad_token_id: 0 },
  },
  { name: "bloom", class: "BloomForCausalLM", config: { vocab_size: 48, hidden_size: 36, n_layer: 2, n_head: 6 } },
  {
    name: "gpt-2",
    class: "GPT2LMHeadModel",
    config: { vocab_size: 48, n_embd: 32, n_layer: 2, n_head: 4, n_positions: 64, n_inner: 40 },
  },
  {
    name: "vit",
    class: "ViTForImageClassification",
    task: "classes",
    picture: [3, 16, 16],
    renamed: [
      ["encoder.layer.", "layers."],
      ["attention.attention.query", "attention.q_proj"],
      ["attention.attention.key", "attention.k_proj"],
      ["attention.attention.value", "attention.v_proj"],
      ["attention.output.dense", "attention.o_proj"],
      ["intermediate.dense", "mlp.fc1"],
      [".output.dense", ".mlp.fc2"],
    ],
    config: { ...encoderless, image_size: 16, patch_size: 4, num_labels: 3 },
  },
  { name: "t5", class: "T5ForConditionalGeneration", task: "answer", config: t5 },
  {
    name: "t5-gated",
    class: "T5ForConditionalGeneration",
    task: "answer",
    config: { ...t5, feed_forward_proj: "gated-gelu", tie_word_embeddings: false },
  },
  ...encoder("bert", "Bert", { ...small, pad_token_id: 0 }),
  ...encoder("roberta", "Roberta", { ...small, type_vocab_size: 1, pad_token_id: 0 }),
  ...encoder("distilbert", "DistilBert", { vocab_size: 48, dim: 32, hidden_dim: 40, n_layers: 2, n_heads: 4, max_position_embeddings: 64 }),
  ...encoder("modernbert", "ModernBert", {
    ...small,
    num_hidden_layers: 3,
    local_attention: 6,
    pad_token_id: 0,
    cls_token_id: 1,
    sep_token_id: 2,
    bos_token_id: 1,
    eos_token_id: 2,
    classifier_pooling: "mean",
    layer_types: ["full_attention", "sliding_attention", "sliding_attention"],
    rope_parameters: {
      sliding_attention: { rope_type: "default", rope_theta: 100.0 },
      full_attention: { rope_type: "default", rope_theta: 10000.0 },
    },
  }),
];

/** Two pictures of this size. */
export const pixelsOf = (picture: readonly number[]): Float32Array => drawn("pixels", [2, ...picture]);

/** What a decoder is given and should say, where the rows are what it answers. */
export const written: readonly (readonly number[])[] = [
  [0, 20, 7, 38, 25, 3, 11, 30, 9, 42, 5, 17],
  [0, 31, 15, 40, 6, 27, 12, 46, 19, 4, 33, 8],
];
export const answerLabels: readonly (readonly number[])[] = written.map((row) =>
  [...row.slice(1), 1].map((id, i) => (i % 4 === 3 ? -100 : id)),
);

/** Encoders: the second row has eight tokens and padding. */
export const ends: readonly number[] = [11, 7];

/** Two rows of twelve tokens; the loss falls on the last seven of each. */
export const rows: readonly (readonly number[])[] = [
  [1, 17, 5, 42, 9, 30, 11, 3, 25, 38, 7, 20],
  [2, 8, 33, 4, 19, 46, 12, 27, 6, 40, 15, 31],
];
export const labels: readonly (readonly number[])[] = rows.map((row) => row.map((id, i) => (i < 5 ? -100 : id)));
/** For encoders: some tokens of each row, and the class of each row. */
export const maskedLabels: readonly (readonly number[])[] = rows.map((row, r) =>
  row.map((id, i) => (i % 3 === 1 && i <= ends[r]! ? (id + 5) % 48 : -100)),
);
export const classes: readonly number[] = [2, 0];
export const newTokens = 8;
