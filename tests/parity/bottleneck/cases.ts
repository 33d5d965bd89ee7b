// Bottleneck methods as AdapterHub's `adapters` computes them, one entry per method and architecture. After a change here,
// `npm run parity:adapters -- --write` asks it again.

import { fileURLToPath } from "node:url";
import type { MethodCase } from "../methods/case.ts";

export const fixtures = fileURLToPath(new URL("fixtures/bottleneck", import.meta.url));

/** The network of a prefix: its last layer makes every layer's key and value, one after the other. */
const prefixNetwork = (attention: string, first = "model.layers.0.self_attn") => {
  const pool = `${first}.prefix_tuning.pool.prefix_tunings.a.self_prefix`;
  const of = (what: string): string[] =>
    [0, 1].flatMap((i) => [`layers.${i}.${attention}.key_${what}`, `layers.${i}.${attention}.value_${what}`]);
  return {
    [`${pool}.wte.weight`]: ["start"],
    [`${pool}.control_trans.0.weight`]: ["first"],
    [`${pool}.control_trans.0.bias`]: ["first_bias"],
    [`${pool}.control_trans.2.weight`]: of("up"),
    [`${pool}.control_trans.2.bias`]: of("bias"),
  };
};

const bottleneckNames = (theirs: string, i: number): [string, string[]][] =>
  (
    [
      ["adapter_down.0.weight", "down"],
      ["adapter_down.0.bias", "down_bias"],
      ["adapter_up.weight", "up"],
      ["adapter_up.bias", "up_bias"],
    ] as const
  ).map(([key, own]) => [`${theirs}.adapters.a.${key}`, [`layers.${i}.${own}`]]);

const gateNames = (theirs: string, own: string): [string, string[]][] => [
  [`${theirs}.weight`, [`${own}gate`]],
  [`${theirs}.bias`, [`${own}gate_bias`]],
];

export const cases: Readonly<Record<string, MethodCase>> = {
  bottleneck: {
    base: "llama",
    adapter: "bottleneck(reduction: 4) into model.layers.*",
    config: { hub: "SeqBnConfig", reduction_factor: 4 },
  },
  "bottleneck on learned positions, scaled": {
    base: "gpt2",
    adapter: "bottleneck(reduction: 3, act: gelu, scaling: 2) into model.layers.*",
    config: { hub: "SeqBnConfig", reduction_factor: 3, non_linearity: "gelu", scaling: 2 },
  },
  "bottleneck in the upper layer": {
    base: "llama",
    adapter: "bottleneck(reduction: 4, act: tanh) into model.layers.1",
    config: { hub: "SeqBnConfig", reduction_factor: 4, non_linearity: "tanh", leave_out: [0] },
  },
  "two bottlenecks per layer": {
    base: "llama",
    adapter: "double_bottleneck(reduction: 4) into model.layers.*",
    config: { hub: "DoubleSeqBnConfig", reduction_factor: 4 },
  },
  "two bottlenecks per layer on learned positions": {
    base: "gpt2",
    adapter: "double_bottleneck(reduction: 4, act: relu) into model.layers.*",
    config: { hub: "DoubleSeqBnConfig", reduction_factor: 4, non_linearity: "relu" },
  },
  "two bottlenecks per layer under a window": {
    base: "mistral",
    adapter: "double_bottleneck(reduction: 8, act: gelu_tanh) into model.layers.*",
    config: { hub: "DoubleSeqBnConfig", reduction_factor: 8, non_linearity: "gelu_new" },
  },
  "a bottleneck beside the feed-forward": {
    base: "llama",
    adapter: "parallel_bottleneck(reduction: 4) into model.layers.*",
    config: { hub: "ParBnConfig", reduction_factor: 4 },
  },
  "a bottleneck beside the feed-forward on learned positions": {
    base: "gpt2",
    adapter: "parallel_bottleneck(reduction: 2, scaling: 1) into model.layers.*",
    config: { hub: "ParBnConfig", reduction_factor: 2, scaling: 1 },
  },
  compacter: {
    base: "llama",
    adapter: "compacter(reduction: 4, n: 2) into model.layers.*",
    config: { hub: "CompacterConfig", reduction_factor: 4, phm_dim: 2 },
  },
  "compacter on learned positions, rank 2": {
    base: "gpt2",
    adapter: "compacter(reduction: 2, n: 4, r: 2) into model.layers.*",
    config: { hub: "CompacterConfig", reduction_factor: 2, phm_dim: 4, phm_rank: 2 },
  },
  mam: {
    base: "llama",
    adapter: "mam(tokens: 4, inner: 12, reduction: 4, scaling: 2) into model",
    config: {
      hub: "MAMConfig",
      prefix_tuning: { hub: "PrefixTuningConfig", prefix_length: 4, bottleneck_size: 12 },
      adapter: { hub: "ParBnConfig", reduction_factor: 4, scaling: 2 },
    },
    named: {
      ...prefixNetwork("attn"),
      ...Object.fromEntries([0, 1].flatMap((i) => bottleneckNames(`model.layers.${i}.output_adapters`, i))),
    },
  },
  unipelt: {
    silent: true,
    base: "llama",
    adapter: `{
      gated_prefix(tokens: 4, inner: 12) into model
      gated_lora(r: 2) into model.layers.*.attn.{q, v}
      gated_bottleneck(reduction: 4) into model.layers.*
    }`,
    config: {
      hub: "UniPELTConfig",
      prefix_tuning: { hub: "PrefixTuningConfig", prefix_length: 4, bottleneck_size: 12 },
      adapter: { hub: "SeqBnConfig", reduction_factor: 4 },
      lora: { hub: "LoRAConfig", r: 2, alpha: 2 },
    },
    named: {
      ...prefixNetwork("attn"),
      ...Object.fromEntries(
        [0, 1].flatMap((i) => {
          const attention = `model.layers.${i}.self_attn`;
          return [
            ...gateNames(`${attention}.prefix_tuning.prefix_gates.a`, `layers.${i}.attn.`),
            ...["q", "v"].flatMap((name): [string, string[]][] => {
              const theirs = `${attention}.${name}_proj.loras.a`;
              const own = `layers.${i}.attn.${name}.`;
              return [[`${theirs}.lora_A`, [`${own}a`]], [`${theirs}.lora_B`, [`${own}b`]], ...gateNames(`${theirs}.gate`, own)];
            }),
            ...bottleneckNames(`model.layers.${i}.output_adapters`, i),
            ...gateNames(`model.layers.${i}.output_adapters.adapters.a.gate`, `layers.${i}.`),
          ];
        }),
      ),
    },
  },
};
