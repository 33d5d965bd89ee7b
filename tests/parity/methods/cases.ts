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
};
