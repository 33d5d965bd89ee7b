// One entry per method and setting: what is written in a `.peft` file, and the settings with which PEFT computes the same. After a
// change here, `npm run parity -- --write` asks PEFT again and stores its answers.

import type { MethodCase } from "./case.ts";

const qv = "into model.layers.*.attn.{q, v}";
const target_modules = ["q_proj", "v_proj"];

export const cases: Readonly<Record<string, MethodCase>> = {
  lora: {
    base: "llama",
    adapter: `lora(r: 4, alpha: 8) ${qv}`,
    config: { peft_type: "LORA", r: 4, lora_alpha: 8, target_modules },
  },
  "lora on every linear layer": {
    base: "llama",
    adapter: "lora(r: 2, alpha: 3) into model.layers.**",
    config: { peft_type: "LORA", r: 2, lora_alpha: 3, target_modules: "all-linear" },
  },
  "lora on transposed, fused weights": {
    base: "gpt2",
    adapter: "lora(r: 4, alpha: 4) into model.layers.*.attn.qkv, model.layers.*.mlp.{up, down}",
    config: { peft_type: "LORA", r: 4, lora_alpha: 4, target_modules: ["c_attn", "c_fc", "mlp.c_proj"], fan_in_fan_out: true },
  },
  "lora scaled by the root of the rank": {
    base: "llama",
    adapter: `lora(r: 4, alpha: 8, rslora: true) ${qv}`,
    config: { peft_type: "LORA", r: 4, lora_alpha: 8, use_rslora: true, target_modules },
  },
  "lora with ranks by module": {
    base: "llama",
    adapter: "{ lora(r: 2, alpha: 4) into model.layers.*.attn.q  lora(r: 3, alpha: 9) into model.layers.*.attn.v }",
    config: { peft_type: "LORA", r: 2, lora_alpha: 4, rank_pattern: { v_proj: 3 }, alpha_pattern: { v_proj: 9 }, target_modules },
  },
  "lora, and PEFT's optimizer with another rate for the second factor": {
    base: "llama",
    adapter: `lora(r: 3, alpha: 6) ${qv}`,
    config: { peft_type: "LORA", r: 3, lora_alpha: 6, target_modules },
    adamw: 0.005,
    optimizer: {
      theirs: "loraplus",
      ours: "adamw(learning_rate: 0.005, weight_decay: 0.01)",
      adapter: `loraplus(r: 3, alpha: 6, ratio: 4) ${qv}`,
    },
  },
  "lora with its first factor frozen, and PEFT's optimizer for it": {
    base: "llama",
    adapter: `lorafa(r: 4, alpha: 8, project: false) ${qv}`,
    config: { peft_type: "LORA", r: 4, lora_alpha: 8, target_modules, frozen: ["lora_A"] },
    optimizer: { theirs: "lorafa", ours: "corrected(learning_rate: 0.01)", adapter: `lorafa(r: 4, alpha: 8) ${qv}` },
    definitions: `optimizer corrected(learning_rate: float) {
  state m = 0
  state v = 0
  m = 0.9 * m + 0.1 * g
  v = 0.999 * v + 0.001 * g * g
  p = p - rate * sqrt(1 - 0.999 ^ t) / (1 - 0.9 ^ t) * m / (sqrt(v) + 1e-6)
}`,
  },
  "adalora, chosen anew every other step": {
    base: "llama",
    adapter: `adalora(r: 4, target: 2, alpha: 3, start: 2, finish: 5, every: 2, steps: 20) ${qv}`,
    config: { peft_type: "ADALORA", init_r: 4, target_r: 2, lora_alpha: 3, tinit: 2, tfinal: 5, deltaT: 2, total_step: 20, target_modules },
    adamw: 0.005,
  },
  "adalora on transposed weights, with other smoothing": {
    base: "gpt2",
    adapter:
      "adalora(r: 3, target: 1, alpha: 6, finish: 3, every: 3, beta1: 0.5, beta2: 0.9, orthogonal: 0.1, steps: 20) into model.layers.*.mlp.up",
    config: {
      peft_type: "ADALORA",
      init_r: 3,
      target_r: 1,
      lora_alpha: 6,
      tfinal: 3,
      deltaT: 3,
      beta1: 0.5,
      beta2: 0.9,
      orth_reg_weight: 0.1,
      total_step: 20,
      target_modules: ["c_fc"],
      fan_in_fan_out: true,
    },
  },
  dora: {
    base: "llama",
    adapter: `dora(r: 3, alpha: 6) ${qv}`,
    config: { peft_type: "LORA", r: 3, lora_alpha: 6, use_dora: true, target_modules },
  },
  "dora on transposed weights": {
    base: "gpt2",
    adapter: "dora(r: 2, alpha: 4) into model.layers.*.mlp.up",
    config: { peft_type: "LORA", r: 2, lora_alpha: 4, use_dora: true, target_modules: ["c_fc"], fan_in_fan_out: true },
  },
  pissa: {
    base: "llama",
    adapter: `pissa(r: 3, alpha: 6) ${qv}`,
    config: { peft_type: "LORA", r: 3, lora_alpha: 6, init_lora_weights: "pissa", target_modules },
    begins: "own",
    noise: 0,
  },
  "eva (one rank)": {
    base: "llama",
    adapter: `eva(r: 8, alpha: 16) ${qv}`,
    config: { peft_type: "LORA", r: 8, lora_alpha: 16, init_lora_weights: "eva", eva_config: { rho: 1 }, target_modules },
    begins: "observed",
    observe: 1,
    noise: 0,
  },
  // The last of 42 rows is for one of two layers that have the same input.
  "eva (ranks by data)": {
    base: "llama",
    adapter: "eva(r: 3, alpha: 6, rho: 2.7) into model.layers.**",
    config: { peft_type: "LORA", r: 3, lora_alpha: 6, init_lora_weights: "eva", eva_config: { rho: 2.7 }, target_modules: "all-linear" },
    begins: "observed",
    observe: 1,
    // Larger steps let the rounding of the first values grow.
    sgd: 0.02,
    noise: 0,
  },
  // PEFT decomposes into twice rho · r directions: with all 16 of them it is exact.
  "eva (ranks by data, a layer left out)": {
    base: "gpt2",
    adapter: "eva(r: 1, alpha: 3, rho: 8, adjust: false) into model.layers.*.attn.{qkv, out}, model.layers.*.mlp.up",
    config: {
      peft_type: "LORA",
      r: 1,
      lora_alpha: 3,
      init_lora_weights: "eva",
      eva_config: { rho: 8, adjust_scaling_factors: false },
      target_modules: ["c_attn", "attn.c_proj", "c_fc"],
      fan_in_fan_out: true,
    },
    begins: "observed",
    observe: 1,
    sgd: 0.02,
    noise: 0,
  },
  corda: {
    base: "llama",
    adapter: `corda(r: 3, alpha: 6) ${qv}`,
    config: { peft_type: "LORA", r: 3, lora_alpha: 6, init_lora_weights: "corda", corda_config: { corda_method: "ipm" }, target_modules },
    begins: "own",
    observe: 4,
    singly: true,
    // Steps of the usual size are unstable here: rounding alone grows a thousandfold.
    sgd: 0.02,
    noise: 0,
  },
  "corda (knowledge kept)": {
    base: "llama",
    adapter: `corda(r: 3, alpha: 6, knowledge: true) ${qv}`,
    config: { peft_type: "LORA", r: 3, lora_alpha: 6, init_lora_weights: "corda", corda_config: { corda_method: "kpm" }, target_modules },
    begins: "own",
    observe: 4,
    singly: true,
    noise: 0,
  },
  olora: {
    base: "llama",
    adapter: `olora(r: 3, alpha: 6) ${qv}`,
    config: { peft_type: "LORA", r: 3, lora_alpha: 6, init_lora_weights: "olora", target_modules },
    begins: "own",
    noise: 0,
  },
  fourierft: {
    base: "llama",
    adapter: `fourierft(n: 20, scaling: 30, seed: 5) ${qv}`,
    config: { peft_type: "FOURIERFT", n_frequency: 20, scaling: 30, random_loc_seed: 5, init_weights: true, target_modules },
  },
  shira: {
    base: "llama",
    adapter: `shira(r: 2, seed: 9) ${qv}`,
    config: { peft_type: "SHIRA", r: 2, random_seed: 9, target_modules },
  },
  loha: { base: "llama", adapter: `loha(r: 2, alpha: 3) ${qv}`, config: { peft_type: "LOHA", r: 2, alpha: 3, target_modules } },
  lokr: {
    base: "llama",
    adapter: `lokr(r: 1, alpha: 2, factor: 2) ${qv}`,
    config: { peft_type: "LOKR", r: 1, alpha: 2, decompose_factor: 2, target_modules },
  },
  ia3: {
    base: "llama",
    adapter: "{ ia3() into model.layers.*.attn.{k, v}  ia3(feedforward: true) into model.layers.*.mlp.down }",
    config: { peft_type: "IA3", target_modules: ["k_proj", "v_proj", "down_proj"], feedforward_modules: ["down_proj"] },
  },
  vera: { base: "llama", adapter: `vera(r: 4) ${qv}`, config: { peft_type: "VERA", r: 4, target_modules } },
  oft: { base: "llama", adapter: `oft(block: 4) ${qv}`, config: { peft_type: "OFT", oft_block_size: 4, target_modules } },
  "oft, inverted exactly": {
    base: "llama",
    adapter: `oft(block: 4, exact: true) ${qv}`,
    config: { peft_type: "OFT", oft_block_size: 4, use_cayley_neumann: false, target_modules },
  },
  boft: { base: "llama", adapter: `boft(block: 4) ${qv}`, config: { peft_type: "BOFT", boft_block_size: 4, target_modules } },
  hra: { base: "llama", adapter: `hra(r: 4) ${qv}`, config: { peft_type: "HRA", r: 4, target_modules } },
  miss: { base: "llama", adapter: `miss(r: 4) ${qv}`, config: { peft_type: "MISS", r: 4, target_modules } },
  gralora: {
    base: "llama",
    adapter: `gralora(r: 4, alpha: 6, k: 2) ${qv}`,
    config: { peft_type: "GRALORA", r: 4, alpha: 6, gralora_k: 2, target_modules },
  },
  hira: { base: "llama", adapter: `hira(r: 2) ${qv}`, config: { peft_type: "HIRA", r: 2, target_modules } },
  delora: {
    base: "llama",
    adapter: `delora(r: 2, bound: 3) ${qv}`,
    config: { peft_type: "DELORA", r: 2, delora_lambda: 3, target_modules },
  },
  randlora: {
    base: "llama",
    adapter: `randlora(r: 4, alpha: 8) ${qv}`,
    config: { peft_type: "RANDLORA", r: 4, randlora_alpha: 8, target_modules },
  },
  road: { base: "llama", adapter: `road(group: 4) ${qv}`, config: { peft_type: "ROAD", group_size: 4, target_modules } },
  // In the last layer alone: PEFT 0.21.2's gradient of this method to its inputs is not the derivative, so layers below would differ.
  "c3a in the last layer": {
    base: "llama",
    adapter: "c3a(block: 4) into model.layers.1.attn.{q, v}",
    config: { peft_type: "C3A", block_size: 4, init_weights: true, target_modules, layers_to_transform: [1] },
  },
  vblora: {
    base: "llama",
    adapter: `vblora(r: 2, vectors: 6, length: 4) ${qv}`,
    config: { peft_type: "VBLORA", r: 2, num_vectors: 6, vector_length: 4, target_modules },
  },
  "chosen rows of the embedding": {
    base: "llama",
    adapter: "tokens(ids: [3, 5, 9]) into model.embed",
    config: { peft_type: "TRAINABLE_TOKENS", token_indices: [3, 5, 9], target_modules: ["embed_tokens"] },
  },
  "norms alone": {
    base: "llama",
    adapter: "tune() into model.**.{attn_norm, mlp_norm}",
    config: { train: ["model\\.layers\\.\\d+\\.(input_layernorm|post_attention_layernorm)\\.weight"] },
    sgd: 0.2,
  },
  "last layer of a model with transposed weights": {
    base: "gpt2",
    adapter: "tune() into model.layers.1.mlp.**",
    config: { train: ["transformer\\.h\\.1\\.mlp\\..*"] },
    sgd: 0.1,
    adamw: 0.002,
  },
  prompt: {
    base: "llama",
    adapter: "prompt(tokens: 4) into model",
    config: { peft_type: "PROMPT_TUNING", num_virtual_tokens: 4 },
    sgd: 0.5,
  },
  "prompt on a model with learned positions": {
    base: "gpt2",
    adapter: "prompt(tokens: 3) into model",
    config: { peft_type: "PROMPT_TUNING", num_virtual_tokens: 3 },
    sgd: 0.5,
  },
  p_tuning: {
    base: "llama",
    adapter: "p_tuning(tokens: 4, inner: 12) into model",
    config: { peft_type: "P_TUNING", num_virtual_tokens: 4, encoder_hidden_size: 12, encoder_reparameterization_type: "MLP" },
    encoder: {
      "embedding.weight": ["start"],
      "mlp_head.0.weight": ["first"],
      "mlp_head.0.bias": ["first_bias"],
      "mlp_head.2.weight": ["second"],
      "mlp_head.2.bias": ["second_bias"],
      "mlp_head.4.weight": ["third"],
      "mlp_head.4.bias": ["third_bias"],
    },
    sgd: 0.5,
  },
  "prefix with a projection": {
    base: "gpt2",
    adapter: "prefix_projected(tokens: 4, inner: 12) into model",
    config: { peft_type: "PREFIX_TUNING", num_virtual_tokens: 4, encoder_hidden_size: 12, prefix_projection: true },
    encoder: {
      "embedding.weight": ["start"],
      "transform.0.weight": ["first"],
      "transform.0.bias": ["first_bias"],
      "transform.2.weight": [0, 1].flatMap((i) => [`layers.${i}.attn.key_up`, `layers.${i}.attn.value_up`]),
      "transform.2.bias": [0, 1].flatMap((i) => [`layers.${i}.attn.key_bias`, `layers.${i}.attn.value_bias`]),
    },
    sgd: 0.2,
  },
  prefix: {
    base: "llama",
    adapter: "prefix(tokens: 4) into model",
    config: { peft_type: "PREFIX_TUNING", num_virtual_tokens: 4 },
    sgd: 0.5,
  },
  "prefix on a model with learned positions": {
    base: "gpt2",
    adapter: "prefix(tokens: 3) into model",
    config: { peft_type: "PREFIX_TUNING", num_virtual_tokens: 3 },
    sgd: 0.5,
  },
  "gated prompt in the upper layer": {
    base: "llama",
    adapter: "gated_prompt(tokens: 4) into model.layers.1.attn",
    config: { peft_type: "ADAPTION_PROMPT", adapter_len: 4, adapter_layers: 1 },
    sgd: 0.5,
  },
};
